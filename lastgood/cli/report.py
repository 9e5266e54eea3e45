"""``lastgood report``: a release as one HTML page, or the picture of what decided as a PNG."""

from __future__ import annotations

from pathlib import Path

import click

from lastgood.cli import asking, completion, reporting
from lastgood.cli.group_following import find_anywhere
from lastgood.cli.options import (
    checked_service,
    output_option,
    page_file,
    region_option,
    service_ref,
)
from lastgood.cli.output import print_json, print_text, say
from lastgood.cli.reporting import Gathered
from lastgood.errors import UsageError
from lastgood.model import ServiceRef
from lastgood.plots import canvas, png
from lastgood.report import page


@click.command()
@click.argument("release", metavar="RELEASE")
@click.option(
    "--service",
    metavar="CLUSTER/SERVICE",
    type=checked_service,
    shell_complete=completion.services,
    help="Whose release it was. Without it, the newest release of this id is looked for.",
)
@region_option
@click.option(
    "--out",
    metavar="FILE.html",
    shell_complete=completion.files,
    help="Where the page is written; an earlier one is replaced. Left out: lastgood-RELEASE.html "
    "in this folder.",
)
@click.option(
    "--plot",
    metavar="FILE.png",
    shell_complete=completion.files,
    help="Write the picture of the trigger that decided as a PNG; no page, unless --out is given.",
)
@click.option("--no-plots", is_flag=True, help="A page without pictures; needs no matplotlib.")
@output_option
def report(
    release: str,
    service: str | None,
    region: str | None,
    out: str | None,
    plot: str | None,
    no_plots: bool,
    output: str,
) -> int:
    """Write a release's report: one HTML page that needs no network and no script.

    \b
    Example:
      lastgood report 2.1 --service shop/web
      lastgood report 2.1 --out report.html --plot why.png

    The verdict, the picture that shows why, the timeline, each trigger with what it was judged
    from, and who did what. Works while the release is under way, and of a group's release too.
    Prints what it wrote. Ends with 0, and with 2 if there is no such release.
    """
    wanted = page_file(out, "--out") if out else None
    picture = _checked_picture(plot)
    if no_plots and picture:
        raise UsageError("--no-plots: leave it out, or --plot")
    if not no_plots:
        canvas.needed_for("--plot" if picture else "lastgood report (without --no-plots)")
    if wanted is None and picture is None:
        wanted = Path(reporting.file_name(release))
    ref = service_ref(service, region) if service else None
    work = _report(release, ref, region, wanted, picture, plots=not no_plots, output=output)
    return asking.run(work, lambda: "Stopped.")


def _checked_picture(plot: str | None) -> Path | None:
    if plot and Path(plot).suffix.lower() != ".png":
        raise UsageError(f"--plot {plot}: it becomes a PNG: name a file FILE.png")
    return Path(plot) if plot else None


async def _report(
    release: str,
    ref: ServiceRef | None,
    region: str | None,
    out: Path | None,
    plot: Path | None,
    *,
    plots: bool,
    output: str,
) -> int:
    found = await _find(release, ref, region)
    if plot and found.chart is None:
        raise UsageError(
            f"--plot: there is no picture of release {release}: no verdict of it that has "
            "measurements on record"
        )
    if out:
        reporting.write(out, page.html(found.page, plots=plots).encode())
    if plot and found.chart:
        heading = f"{found.page.lead.service} {release}: {found.chart.title}"
        reporting.write(plot, png(found.chart, heading=heading))
    _show(release, found, out, plot, output)
    return 0


async def _find(release: str, ref: ServiceRef | None, region: str | None) -> Gathered:
    client = await asking.reach()
    found = await reporting.gather(client, release, service=ref, region=region)
    if found is None and ref is None:
        group = await find_anywhere(client, release, region)
        found = await reporting.gather_group(client, group) if group else None
    if found is None:
        where = f" of {ref}" if ref else " in this Temporal namespace"
        hint = f"  lastgood history {ref}" if ref else "  lastgood history CLUSTER/SERVICE"
        raise UsageError(f"No release {release}{where} is remembered: see{hint}")
    return found


def _show(release: str, found: Gathered, out: Path | None, plot: Path | None, output: str) -> None:
    if output == "json":
        print_json(
            {
                "release": release,
                "service": found.page.lead.service,
                "outcome": found.result.outcome.value if found.result else None,
                "so_far": found.page.so_far,
                "report": str(out) if out else None,
                "plot": str(plot) if plot else None,
            }
        )
        return
    if found.page.so_far:
        say("The release has not ended: this is what is known so far.")
    print_text([str(one) for one in (out, plot) if one])
