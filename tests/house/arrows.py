"""Which part of the code may import what; read from the source, never by importing it.

    worker → workflows, activities, lastgood        workflows → activities, lastgood
    activities → lastgood                           lastgood.cli → lastgood, temporalio's client
    lastgood.decisions → stdlib, pydantic           sandbox → nothing of ours

The wheel holds lastgood alone. Nothing imports sandbox but tests, benchmarks and scripts.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

OURS = {"lastgood", "activities", "workflows", "worker", "sandbox", "benchmarks", "tests"}
MAY_USE = {
    "lastgood": {"lastgood"},
    "activities": {"activities", "lastgood"},
    "workflows": {"workflows", "activities", "lastgood"},
    "worker": {"workflows", "activities", "lastgood"},
    "sandbox": {"sandbox"},
    "benchmarks": OURS - {"tests"},
    "scripts": OURS,  # record_histories runs the scripted world of tests/durable
    "compose": {"lastgood", "sandbox"},
    "tests": OURS,
}
PURE = {
    *("model", "policy", "policy_part", "policy_triggers", "values", "contracts", "messages"),
    "policy_notify",
    "errors",
}
"""Modules of lastgood that decisions are made of; as pure as they are."""
PURE_STDLIB = {
    *("__future__", "collections", "copy", "dataclasses", "datetime", "email", "enum"),
    *("functools", "hashlib", "html", "ipaddress", "itertools", "json", "math", "operator", "re"),
    *("array", "base64", "hmac", "zlib"),
    *("bisect", "csv", "io", "string", "textwrap", "typing", "unicodedata", "urllib"),
}
CLOCKS = {"now", "utcnow", "today"}
IMPURE_CALLS = {"open", "print", "input", "exec", "eval", "__import__", "breakpoint"}
WORKFLOW_STDLIB = {"time", "random", "uuid", "secrets", "os", "threading", "subprocess", "socket"}
WORKFLOW_TEMPORAL = {"workflow", "common", "exceptions"}
CLI_TEMPORAL = {
    "client",
    "service",
    "api",
    "common",
    "exceptions",
    "runtime",
    "envconfig",
    "contrib",
}


@dataclass(frozen=True)
class Use:
    """An import, or a call, of one module."""

    line: int
    name: str
    """``a.b.c`` imported, from whatever spelling."""


def imports(tree: ast.AST) -> Iterator[Use]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (Use(node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                if level:
                    yield Use(node.lineno, f"relative.{module}")
                else:
                    yield from (Use(node.lineno, f"{module}.{alias.name}") for alias in names)
            case ast.Call(
                func=ast.Name(id="import_module" | "__import__")
                | ast.Attribute(attr="import_module" | "run_module"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield Use(node.lineno, name)


def calls(tree: ast.AST) -> Iterator[Use]:
    """Calls of plain names, and of attributes by their last part."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name)):
                yield Use(node.lineno, name)
            case ast.Call(func=ast.Attribute(attr=name)):
                yield Use(node.lineno, f".{name}")


def wrong_in(path: str, source: str) -> list[str]:
    """What a file may not use, each as ``path:line: what``."""
    parts = Path(path).with_suffix("").parts
    tree = ast.parse(source)
    pure = parts[0] == "lastgood" and (
        parts[1:2] in (("decisions",), ("contracts",)) or (len(parts) == 2 and parts[1] in PURE)
    )
    found = [
        f"{path}:{use.line}: {why}: {use.name}"
        for use in imports(tree)
        if (why := _import_is_wrong(parts, use.name, pure=pure))
    ]
    for use in calls(tree):
        clock = use.name.removeprefix(".") in CLOCKS and use.name.startswith(".")
        if pure and (clock or use.name in IMPURE_CALLS):
            found.append(f"{path}:{use.line}: impure: {use.name}()")
    return found


def _import_is_wrong(parts: tuple[str, ...], name: str, *, pure: bool) -> str | None:
    top, *rest = name.split(".")
    if top == "relative":
        return "relative import"
    if top in OURS and top not in MAY_USE.get(parts[0], set()):
        return "arrow"
    if pure:
        return _pure_is_wrong(top, rest)
    if parts[0] == "workflows":
        return _workflow_is_wrong(top, rest)
    if parts[:2] == ("lastgood", "cli") and top == "temporalio":
        return None if not rest or rest[0] in CLI_TEMPORAL else "not a client's"
    if parts[0] == "activities" and name.startswith("lastgood.cli"):
        return "arrow"
    return None


def _pure_is_wrong(top: str, rest: list[str]) -> str | None:
    if top in ("pydantic", "pydantic_core"):
        return None
    if top == "lastgood":
        return None if rest and (rest[0] == "decisions" or rest[0] in PURE) else "impure"
    return None if top in PURE_STDLIB else "impure"


def _workflow_is_wrong(top: str, rest: list[str]) -> str | None:
    if top == "temporalio":
        return None if rest and rest[0] in WORKFLOW_TEMPORAL else "not for workflows"
    if top == "lastgood":
        return "arrow" if rest[:1] == ["cli"] else None
    if top in OURS:
        return None
    deterministic = top in sys.stdlib_module_names and top not in WORKFLOW_STDLIB
    return None if deterministic else "not deterministic"
