"""``lastgood completion``: what a shell needs to complete verbs, options, files and services."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import CompletionItem, get_completion_class

from lastgood import strict_yaml
from lastgood.errors import UsageError

_VARIABLE = "_LASTGOOD_COMPLETE"
_SHELLS = ("bash", "zsh", "fish")
_MOST = 100
"""Policy files that are looked into: somebody is waiting for a key."""


@click.command()
@click.argument("shell", type=click.Choice(_SHELLS))
def completion(shell: str) -> int:
    """Print what makes a shell complete verbs, options, files and services.

    Services are those of the policy files (*.yaml, *.yml) in the current directory.

    \b
    Examples:
      eval "$(lastgood completion bash)"      in ~/.bashrc; needs bash 4.4
      eval "$(lastgood completion zsh)"       in ~/.zshrc, after compinit
      lastgood completion fish > ~/.config/fish/completions/lastgood.fish
    """
    from lastgood.cli.main import cli  # here, as that one imports us

    kind = get_completion_class(shell)
    if kind is None:
        raise UsageError(f"there is no completion for {shell}")
    try:
        click.echo(kind(cli, {}, "lastgood", _VARIABLE).source())
    except RuntimeError as error:
        raise UsageError(f"{shell}: {error}") from None
    return 0


def files(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The shell's own completion of files."""
    return [CompletionItem(incomplete, type="file")]


def services(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The services of the policy files here, and the file that names each."""
    found: dict[str, str] = {}
    for path in sorted([*Path().glob("*.yaml"), *Path().glob("*.yml")])[:_MOST]:
        for name in _named_in(path):
            found.setdefault(name, str(path))
    return [
        CompletionItem(name, help=f"from {path}")
        for name, path in sorted(found.items())
        if name.startswith(incomplete)
    ]


def _named_in(path: Path) -> list[str]:
    """CLUSTER/SERVICE of a policy file, or of each member of a group's; none of any other file."""
    try:
        data = strict_yaml.read(path.read_text(encoding="utf-8")).data
    except (OSError, UnicodeDecodeError):
        return []
    if not isinstance(data, dict):
        return []
    members = data.get("services")
    parts = [data, *(members if isinstance(members, list) else [])]
    names = [one.get("service") for one in parts if isinstance(one, dict)]
    return [name for name in names if isinstance(name, str) and name.count("/") == 1]
