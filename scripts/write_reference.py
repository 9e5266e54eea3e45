"""Writes docs/reference/ from the code. A test fails where the pages are no longer in step."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from temporalio import workflow

from lastgood import messages, policy_schema, settings
from lastgood.cli.main import cli
from lastgood.model import EXIT_CODES
from scripts import reference_of_aws
from workflows.check import Check
from workflows.deployment import Deployment
from workflows.group_release import GroupRelease
from workflows.rollback import Rollback
from workflows.service_guard import ServiceGuard

FOLDER = Path(__file__).resolve().parents[1] / "docs/reference"
WIDTH = 80
HEAD = "<!-- Written by `python -m scripts.write_reference`; change the code, not this page. -->\n"

Schema = dict[str, Any]


def pages() -> dict[str, str]:
    """Each page's name, and its text."""
    return {
        "policy.md": policy_page(),
        "command-line.md": command_line_page(),
        "exit-codes.md": exit_codes_page(),
        "messages.md": messages_page(),
        "settings.md": settings_page(),
        "metrics.md": reference_of_aws.metrics_page(HEAD),
        "permissions.md": reference_of_aws.permissions_page(HEAD),
    }


# --- The policy file ---------------------------------------------------------------------------


def policy_page() -> str:
    """Every key of the policy file, and of a group's."""
    schema = policy_schema.schema()
    parts = [
        HEAD,
        "# The policy file\n",
        "`lastgood policy init` writes one, `lastgood policy check` finds mistakes by line, "
        "`lastgood policy schema` helps your editor. Durations are written `90s`, `5m`, `1h30m`; "
        "ratios `5%` or `0.05`; secrets `env:NAME`: the worker's environment variable.\n",
        *_tables("Keys of the file", schema, schema["$defs"], set()),
    ]
    group = policy_schema.group_schema()
    told = set(schema["$defs"]) | {"Policy"}
    parts += _tables("The file of a group", group, group["$defs"], told)
    return "\n".join(parts)


def _tables(path: str, part: Schema, parts: Mapping[str, Schema], told: set[str]) -> list[str]:
    """A table of the keys at one place, then of those inside of it that were not told yet."""
    heading = _heading(path, part)
    lines = [f"## {heading}\n", f"{part.get('description', '')}\n"]
    lines += ["| key | values | left out | meaning |", "|---|---|---|---|"]
    required = part.get("required", [])
    for key, field in part["properties"].items():
        left_out = "**required**" if key in required else _default(field)
        meaning = _cell(field.get("description", "")) + _example(field)
        lines.append(f"| `{key}` | {_values(field)} | {left_out} | {meaning} |")
    lines.append("")
    inside = path if heading.startswith("`") else ""
    for key, field in part["properties"].items():
        for name in _references(field):
            if name not in told:
                told.add(name)
                lines += _tables(f"{inside}.{key}".lstrip("."), parts[name], parts, told)
    return lines


def _heading(path: str, part: Schema) -> str:
    kind = part["properties"].get("type", {}).get("const")
    if kind:
        return f"A trigger: `{kind}`"
    return f"`{path}`" if path.islower() else path


def _references(field: Any) -> Iterator[str]:
    if isinstance(field, dict):
        if "$ref" in field:
            yield field["$ref"].rsplit("/", 1)[-1]
        for value in field.values():
            yield from _references(value)
    elif isinstance(field, list):
        for value in field:
            yield from _references(value)


def _values(field: Schema) -> str:
    choices = [field["const"]] if "const" in field else field.get("enum", [])
    if choices:
        return ", ".join(f"`{one}`" for one in choices)
    if any(_references({key: value for key, value in field.items() if key != "default"})):
        return "list, below" if field.get("type") == "array" else "keys below"
    kinds = [one.get("type") for one in field.get("anyOf", [])] or [field.get("type")]
    told = {"array": "list", "object": "keys", "string": "text", None: "text"}
    return " or ".join(dict.fromkeys(told.get(one, str(one)) for one in kinds))


def _default(field: Schema) -> str:
    default = field.get("default")
    if default is None or isinstance(default, dict | list):
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _example(field: Schema) -> str:
    examples = field.get("examples") or []
    return f" Such as `{_cell(str(examples[0]))}`." if examples and "const" not in field else ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


# --- The command line --------------------------------------------------------------------------


def command_line_page() -> str:
    """The help of each verb, as a terminal shows it."""
    parts = [HEAD, "# The command line\n", _help(cli, ["lastgood"])]
    for names, command in _commands(cli, ["lastgood"]):
        parts += [f"## {' '.join(names[1:])}\n", _help(command, names)]
    return "\n".join(parts)


def _commands(group: click.Group, names: list[str]) -> Iterator[tuple[list[str], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None:
            raise LookupError(name)
        yield [*names, name], command
        if isinstance(command, click.Group):
            yield from _commands(command, [*names, name])


def _help(command: click.Command, names: list[str]) -> str:
    context = click.Context(command, info_name=" ".join(names), terminal_width=WIDTH)
    context.help_option_names = ["-h", "--help"]
    return f"```text\n{command.get_help(context)}\n```\n"


# --- Exit codes, messages, settings ------------------------------------------------------------

_OUTCOMES = {
    10: "rolled back by us, and proven to have helped",
    11: "rolled back by ECS itself: its circuit breaker, or a deployment alarm",
    12: "the rollback failed, or did not help: people are told until somebody acknowledges it",
    13: "held: a person decides, by `approve`, `deny`, `resume` or `rollback`",
    14: "superseded: a newer deployment replaced it; nothing of it was rolled back",
    15: "refused: nothing was changed",
    16: "cancelled: the service stays where it is",
}
_OTHERS = {
    0: "done, or healthy",
    1: "unexpected: Temporal or AWS cannot be reached, or a fault of ours; no verdict",
    2: "wrong usage, policy or settings; nothing was begun. `doctor`: something is not fine",
    3: "`alarms`: something is not as the policy says, and was left alone",
    130: "Ctrl-C; what runs in Temporal goes on",
}


def exit_codes_page() -> str:
    """What a script can rely on."""
    rows = {code: f"`{outcome.value}`" for outcome, code in EXIT_CODES.items()}
    lines = [HEAD, "# Exit codes\n", "| code | outcome | meaning |", "|---:|---|---|"]
    meanings = _OUTCOMES | _OTHERS
    lines += [
        f"| {code} | {rows.get(code, '')} | {meanings[code]} |" for code in sorted(rows | _OTHERS)
    ]
    return "\n".join(lines) + "\n"


def messages_page() -> str:
    """What each workflow can be told and asked."""
    parts = [
        HEAD,
        "# Messages\n",
        "For those who steer Lastgood from a program; people use the command line. Payloads "
        "are JSON, their models in `lastgood/contracts/`. Names are in `lastgood/messages.py`, and "
        "stay as they are.\n",
        f"Task queues: `{messages.TASK_QUEUE}` (workflows, short activities) and "
        f"`{messages.WATCH_TASK_QUEUE}` (watches).\n",
        "Search attributes, each a Keyword ([what they hold](../temporal-ui.md#find-releases)): "
        + ", ".join(f"`{name}`" for name in messages.SEARCH_ATTRIBUTES)
        + ".\n",
    ]
    for kind in (ServiceGuard, Deployment, Rollback, GroupRelease, Check):
        parts += _messages_of(kind)
    return "\n".join(parts)


def _messages_of(kind: type) -> list[str]:
    definition = workflow._Definition.from_class(kind)
    if definition is None:
        raise LookupError(kind)
    found = [
        *(("update", n, u.fn, u.arg_types, u.ret_type) for n, u in definition.updates.items()),
        *(("query", n, q.fn, q.arg_types, q.ret_type) for n, q in definition.queries.items()),
        *(("signal", n, s.fn, s.arg_types, None) for n, s in definition.signals.items()),
    ]
    about = (inspect.getdoc(kind) or "").splitlines()[0]
    lines = [f"## Workflow `{definition.name}`\n", f"{about}\n"]
    if not found:
        return [*lines, "It takes no messages.\n"]
    lines += ["| kind | name | takes | gives | what |", "|---|---|---|---|---|"]
    for what, name, call, takes, gives in found:
        words = (inspect.getdoc(call) or "").splitlines()[0]
        takes_text = ", ".join(f"`{one.__name__}`" for one in takes or [])
        gives_text = f"`{gives.__name__}`" if gives and gives is not type(None) else ""
        lines.append(f"| {what} | `{name}` | {takes_text} | {gives_text} | {_cell(words)} |")
    return [*lines, ""]


def settings_page() -> str:
    """The environment variables of a process."""
    lines = [
        HEAD,
        "# Settings\n",
        "Environment variables of the worker; the command line reads `LASTGOOD_UI_URL` and "
        "`LASTGOOD_LOG_LEVEL`. Temporal is reached by `TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`, "
        "`TEMPORAL_API_KEY`, `TEMPORAL_TLS_*` or `temporal.toml`; AWS by boto3's own chain. "
        "Secrets that a policy names as `env:NAME` are variables of the worker, too.\n",
        "| variable | left out | meaning |",
        "|---|---|---|",
    ]
    for name, field in settings.Settings.model_fields.items():
        default = "" if field.default in (None, "") else f"`{field.default}`"
        lines.append(
            f"| `{settings.variable(name)}` | {default} | {_cell(field.description or '')} |"
        )
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write the pages."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text.rstrip() + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
