"""Which releases the rules roll back: Lastgood's and others', on windows whose verdict is known."""

from __future__ import annotations

from benchmarks.detection.judging import judge_generated
from benchmarks.detection.scenarios import ALL
from benchmarks.detection.tables import tables
from benchmarks.report import Report

NAME = "detection"
QUESTION = "which releases are rolled back, rightly and wrongly, and how soon?"
SEED = 7
_SOME, _FEW = ALL // 5, ALL // 20
_CAVEATS = (
    "The windows are made up. Their classes and how many there are of each are ours; read a rule "
    "by class, as how often it is wrong over all says as much of the mix.",
    "Lastgood's rules were tuned on windows of the same kind, though of another seed.",
    "Kayenta is meant for a canary beside a baseline, and for hours. Here it compares with before, "
    "as all do.",
    "The anomaly band is no model of AWS's: that one is not public, and knows days and weeks.",
    "What comes from metrics comes later on AWS by CloudWatch's delay, the same for each rule. "
    "A load balancer has a datapoint a minute; ten seconds need an application's own.",
    "Deployments are at full minutes, which helps rules that read minutes.",
    "A bound on false rollbacks is one on evidence alone; of triggers together there are figures.",
    f"Only some of the {ALL:,} windows: python -m benchmarks.detection run takes all.",
)


async def measure(runs: int | None, *, quick: bool) -> Report:
    """All rules on a part of the windows, of so many seeds."""
    judged = []
    for seed in range(SEED, SEED + (runs or 1)):
        judged += await judge_generated(seed, count=_FEW if quick else _SOME)
    command = f"python -m benchmarks detection{' --quick' if quick else ''}"
    return Report(NAME, QUESTION, command, _CAVEATS, tables(judged))
