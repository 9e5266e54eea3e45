"""Lists of commands in ``--help``: whole sentences, wrapped, where click would cut them off."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import click

_WHOLE = 300


class Listing(click.Group):
    """A group that lists its commands with the whole first sentence of each."""

    def sections(self, ctx: click.Context) -> Iterator[tuple[str, Iterable[str]]]:
        """Headings, and what stands below each."""
        yield "Commands", self.list_commands(ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list."""
        for heading, names in self.sections(ctx):
            found = [(name, self.get_command(ctx, name)) for name in names]
            rows = [(name, one.get_short_help_str(_WHOLE)) for name, one in found if one]
            with formatter.section(heading):
                formatter.write_dl(rows)
