"""Templates of messages: Jinja's language, as much of it as a message needs.

The rule. A template sees the notice and nothing else (``VARIABLES``), calls nothing, imports
nothing and keeps nothing: ``if``, ``for`` and a few filters. So no template can read a secret, hang
a worker or grow without bounds. Whatever it inserts is escaped for its channel; its own text is
not, as the policy's author may well want to mention somebody.

What is wrong is found when the policy is read: ``problems`` says it with its line in the template.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, nodes
from jinja2.runtime import LoopContext
from jinja2.sandbox import SandboxedEnvironment

from lastgood.contracts import Notice
from lastgood.decisions.plain import one_line
from lastgood.decisions.rendering.text import rows, title_of, wire_key

VARIABLES = {
    "service": "CLUSTER/SERVICE",
    "release": "the release's id",
    "region": "the service's AWS region",
    "kind": "rollback_started, cooldown, held, ended, reminder, resumed, acknowledged, recovered",
    "severity": "healthy, warning or critical",
    "outcome": "how it ended: healthy, rolled_back…; empty while it has not",
    "title": "the built-in title: one line",
    "summary": "the built-in sentences: why, and what to do",
    "facts": "a list, each with label and value, to be looped over",
    "fact": 'the same by label: fact["Trigger"]; not every notice has every fact',
    "link": "the workflow in the Temporal UI; empty if there is no link",
    "at": "when, such as 2026-01-31 03:12:45 UTC",
    "key": "the same for each copy of this notice, and for no other notice",
}
"""What a template may use, and what it is."""
_LONGEST = 30_000
"""Characters that a template may make; each channel has a lower limit of its own."""

_NODES = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Getattr),
    *(nodes.Getitem, nodes.If, nodes.For, nodes.Filter, nodes.Test, nodes.Compare, nodes.Operand),
    *(nodes.And, nodes.Or, nodes.Not, nodes.CondExpr, nodes.Concat, nodes.Tuple, nodes.List),
    *(nodes.Slice, nodes.Neg, nodes.Keyword),
)
_WORDS: dict[type[nodes.Node], str] = {
    nodes.Assign: "{% set %}",
    nodes.AssignBlock: "{% set %}",
    nodes.Call: "a call with ()",
    nodes.Macro: "{% macro %}",
    nodes.Include: "{% include %}",
    nodes.Import: "{% import %}",
    nodes.FromImport: "{% import %}",
    nodes.Extends: "{% extends %}",
    nodes.Block: "{% block %}",
}
FILTERS = (
    *("capitalize", "default", "first", "join", "last", "length", "lower", "map", "replace"),
    *("title", "tojson", "trim", "truncate", "upper"),
)
_TESTS = ("defined", "undefined", "in", "eq", "equalto", "ne", "none")
_LOOP = ("index", "index0", "first", "last", "length")

Escape = Callable[[str], str]


class Problem(NamedTuple):
    """One thing wrong with a template."""

    line: int
    message: str


class BrokenTemplateError(Exception):
    """Raised when a template cannot be rendered; says why, and on which line."""


class _Environment(SandboxedEnvironment):
    """Jinja's sandbox with everything taken out that a message has no need of."""

    def __init__(self, escape: Escape = str) -> None:
        super().__init__(
            undefined=StrictUndefined,
            finalize=lambda value: escape(str(value)),
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=False,
            cache_size=0,
        )
        self.globals = {}
        self.filters = {name: self.filters[name] for name in FILTERS} | {
            "replace": _replace,
            "join": _join,
        }
        self.tests = {name: self.tests[name] for name in _TESTS}

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Values have no attributes but a loop's; keys of mappings are none."""
        del value
        return isinstance(obj, LoopContext) and attr in _LOOP

    def wrap_str_format(self, value: Any) -> None:
        """No formatting by ``str.format`` either."""

    def is_safe_callable(self, obj: Any) -> bool:
        """Nothing is called."""
        del obj
        return False


def _replace(text: str, old: str, new: str) -> str:
    """Never longer than any message: replacing may be repeated."""
    times = _LONGEST // max(1, len(new)) + 1
    return str(text)[:_LONGEST].replace(old or "\x00", new, times)[:_LONGEST]


def _join(items: Iterable[Any], by: str = "", attribute: str | None = None) -> str:
    """Never longer than any message: joining may be repeated."""
    pieces: list[str] = []
    length = 0
    for item in items:
        piece = str(item[attribute] if attribute else item)
        length += len(piece) + len(by)
        if length > _LONGEST:
            break
        pieces.append(piece)
    return by.join(pieces)


def values_of(notice: Notice) -> dict[str, Any]:
    """What a template sees of a notice."""
    facts = rows(notice)
    return {
        "service": notice.service,
        "release": notice.release,
        "region": notice.region,
        "kind": notice.kind,
        "severity": notice.severity,
        "outcome": notice.outcome.value if notice.outcome else "",
        "title": title_of(notice),
        "summary": one_line(notice.summary, 3000),
        "facts": [{"label": label, "value": value} for label, value in facts],
        "fact": dict(facts),
        "link": one_line(notice.link or "", 1000),
        "at": f"{notice.at:%Y-%m-%d %H:%M:%S} UTC",
        "key": wire_key(notice),
    }


def render(text: str, values: Mapping[str, Any], escape: Escape = str) -> str:
    """What a template makes of a notice's values.

    Raises:
        BrokenTemplateError: if it cannot be rendered.
    """
    wrong = next(iter(_static(text)), None)
    if wrong:
        raise BrokenTemplateError(f"line {wrong.line}: {wrong.message}")
    length, pieces = 0, []
    try:
        for piece in _Environment(escape).from_string(text).generate(**values):
            pieces.append(piece)
            length += len(piece)
            if length > _LONGEST:
                break
    except Exception as error:  # noqa: BLE001 - a template may fail in any way
        raise BrokenTemplateError(f"line {_line_of(error)}: {_in_words(error)}") from None
    return "".join(pieces)[:_LONGEST].strip()


def problems(text: str, samples: Iterable[Notice], *, as_json: bool = False) -> list[Problem]:
    """What is wrong with a template: in itself, and with a notice of any kind.

    Args:
        text: the template.
        samples: notices of every kind.
        as_json: it must make JSON.
    """
    found = list(_static(text))
    if found:
        return found
    for notice in samples:
        about = f"for a notice of the kind {notice.kind}"
        try:
            values = values_of(notice)
            made = render(text, _awkward(values) if as_json else values)
            if as_json:
                json.loads(made)
        except BrokenTemplateError as error:
            line, _, words = str(error).removeprefix("line ").partition(": ")
            return [Problem(int(line), f"{words} ({about}){_REMEDY if 'fact' in words else ''}")]
        except ValueError:
            what = "is not JSON: write values as {{ title | tojson }}, without quotes around them"
            return [Problem(1, f"{about} this {what}")]
    return []


def _awkward(value: Any) -> Any:
    """The values with what breaks JSON that was put together by hand."""
    if isinstance(value, str):
        return f'{value} "\\'
    if isinstance(value, dict):
        return {name: _awkward(one) for name, one in value.items()}
    return [_awkward(one) for one in value]


_REMEDY = ': write fact["Label"] | default("…"), as not every notice has every fact'


def _static(text: str) -> Iterator[Problem]:
    """What is wrong with it, whatever the notice."""
    environment = _Environment()
    try:
        tree = environment.parse(text)
        wrong = list(_forbidden(tree)) or list(_unknown(tree))
        if not wrong:
            environment.compile(tree)
    except TemplateSyntaxError as error:
        yield Problem(error.lineno, one_line(error.message or "a mistake", 200))
    except (RecursionError, MemoryError, SyntaxError):
        yield Problem(1, "nested too deeply: write it flatter")
    else:
        yield from sorted(wrong)[:10]


def _forbidden(tree: nodes.Node, loops: int = 0) -> Iterator[Problem]:
    for node in tree.iter_child_nodes():
        kind = type(node)
        if kind not in _NODES:
            words = _WORDS.get(kind, kind.__name__.lower())
            remedy = "messages have if, for and filters only"
            yield Problem(node.lineno, f"{words} is not possible here: {remedy}")
        elif isinstance(node, nodes.For) and (loops or node.recursive):
            yield Problem(node.lineno, "a loop within a loop is not possible here")
        elif isinstance(node, nodes.Filter) and node.name not in FILTERS:
            yield Problem(node.lineno, f"unknown filter{_choice(node.name, FILTERS)}")
        elif isinstance(node, nodes.Test) and node.name not in _TESTS:
            yield Problem(node.lineno, f"unknown test{_choice(node.name, _TESTS)}")
        yield from _forbidden(node, loops + isinstance(node, nodes.For))


def _unknown(tree: nodes.Template) -> Iterator[Problem]:
    own = {one.name for one in tree.find_all(nodes.Name) if one.ctx == "store"} | {"loop"}
    for name in tree.find_all(nodes.Name):
        if name.ctx == "load" and name.name not in own and name.name not in VARIABLES:
            yield Problem(name.lineno, f"unknown variable{_choice(name.name, VARIABLES)}")


def _choice(given: str, known: Iterable[str]) -> str:
    likely = get_close_matches(given, list(known), n=1)
    shown = f" {one_line(given, 40)}"
    if likely:
        return f"{shown}; did you mean {likely[0]}?"
    return f"{shown}; known: {', '.join(known)}"


def _line_of(error: Exception) -> int:
    """The line of the template that raised it: jinja gives compiled code the template's lines."""
    line, trace = 1, error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _in_words(error: Exception) -> str:
    if isinstance(error, TemplateError):
        text = (error.message or "cannot be rendered").replace("'dict object'", "fact")
        return one_line(text, 200)
    return f"cannot be rendered ({type(error).__name__})"
