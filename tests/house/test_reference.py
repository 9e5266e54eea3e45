"""The reference is in step with the code, and each verb shows how it is used."""

from collections.abc import Iterator

import click
import pytest

from lastgood.cli.main import cli
from scripts import write_reference

PAGES = write_reference.pages()


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_page_is_what_the_code_says(name: str) -> None:
    path = write_reference.FOLDER / name
    assert path.read_text(encoding="utf-8") == PAGES[name].rstrip() + "\n", (
        "the code has changed: make reference"
    )


def test_there_are_no_other_pages() -> None:
    assert sorted(one.name for one in write_reference.FOLDER.iterdir()) == sorted(PAGES)


def verbs(group: click.Group) -> Iterator[click.Command]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, name
        if isinstance(command, click.Group):
            yield from verbs(command)
        else:
            yield command


@pytest.mark.parametrize("verb", [*verbs(cli)], ids=lambda verb: str(verb.name))
def test_help_has_an_example(verb: click.Command) -> None:
    assert "Example" in (verb.help or ""), verb.name
