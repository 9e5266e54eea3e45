"""``lastgood explain``: why a release ended as it did, with the numbers."""

from __future__ import annotations

from typing import Any

import click

from lastgood.cli import asking, explanation, judged_again, tracing
from lastgood.cli.group_following import find_anywhere, standing_line
from lastgood.cli.options import checked_service, output_option, region_option, service_ref
from lastgood.cli.output import print_json, print_text, result_lines
from lastgood.contracts import Explanation, GroupProgress
from lastgood.errors import UsageError
from lastgood.model import ServiceRef


@click.command()
@click.argument("release", metavar="RELEASE")
@click.option(
    "--service",
    metavar="CLUSTER/SERVICE",
    type=checked_service,
    help="Whose release it was. Without it, the newest release of this id is looked for.",
)
@region_option
@click.option(
    "--again",
    is_flag=True,
    help="Judge each verdict again, from its record and by the decisions of this version.",
)
@output_option
def explain(release: str, service: str | None, region: str | None, again: bool, output: str) -> int:
    """Tell a release's whole decision: what was measured, what followed, who was told.

    \b
    Example:
      lastgood explain 2.1

    Measurements and verdicts by trigger, limits as they stood, the target and why, the calls that
    were made, and who did what. Works while the release is under way too. Of a group's release:
    what happened, and its members, each with the command that explains it. Ends with 0, and with
    2 if there is no such release.
    """
    ref = service_ref(service, region) if service else None
    return asking.run(_explain(release, ref, region, output, again), lambda: "Stopped.")


async def _explain(
    release: str, ref: ServiceRef | None, region: str | None, output: str, again: bool
) -> int:
    client = await asking.reach()
    traced = await tracing.trace(client, release, service=ref, region=region)
    group = None if traced or ref else await find_anywhere(client, release, region)
    if group:
        _show_group(group, output)
        return 0
    if traced is None:
        where = f" of {ref}" if ref else " in this Temporal namespace"
        hint = f"  lastgood history {ref}" if ref else "  lastgood history CLUSTER/SERVICE"
        raise UsageError(f"No release {release}{where} is remembered: see{hint}")
    told, result = traced.explanation, traced.result
    if output == "json":
        print_json(
            {
                "release": release,
                "service": str(traced.service),
                "region": traced.service.region,
                "explanation": told.model_dump(mode="json") if told else None,
                "result": result.model_dump(mode="json") if result else None,
                "remark": None if told else traced.remark,
                "calls": list(told.calls if told else traced.calls),
                **({"again": _again(told)} if again else {}),
            }
        )
    elif told:
        print_text(explanation.lines(told, result, again=again))
    else:
        head = result_lines(result) if result else [f"Release {release} of {traced.service}"]
        calls = ["", "Calls", *(f"  {call}" for call in traced.calls)] if traced.calls else []
        print_text([*head, f"  {traced.remark}", *calls])
    return 0


def _again(told: Explanation | None) -> list[dict[str, Any]]:
    return [judged_again.judge(told, one).as_json() for one in told.verdicts] if told else []


def _show_group(group: GroupProgress, output: str) -> None:
    result = group.result
    if output == "json":
        print_json({"release": group.release, "group": group.model_dump(mode="json")})
        return
    under_way = f"UNDER WAY: release {group.release} of the group {group.group}"
    print_text(
        [
            *(result_lines(result) if result else [under_way]),
            *("", "Members"),
            f"  {standing_line(group.members)}",
            *(f"  lastgood explain {one.release} --service {one.service}" for one in group.members),
            *("", "Said", *(f"  {note}" for note in group.notes)),
        ]
    )
