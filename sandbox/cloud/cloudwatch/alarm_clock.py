"""What makes alarms move: each is evaluated when it is due.

Periods end on whole steps of the clock: each minute, or for periods below one minute every
10 seconds or each period, if that is shorter. An alarm is evaluated once per step, a moment
after it, so that what was reported in its last second counts. A composite alarm is evaluated
when one of its children has changed.
"""

import json

from sandbox.cloud.cloudwatch import query
from sandbox.cloud.cloudwatch.alarm import Alarm
from sandbox.cloud.cloudwatch.alarm_book import AlarmBook
from sandbox.cloud.cloudwatch.alarm_config import period_of, queries_of
from sandbox.cloud.cloudwatch.alarm_reason import reason_data, reason_text
from sandbox.cloud.cloudwatch.composite_rule import alarms_in, holds, parse_rule
from sandbox.cloud.cloudwatch.errors import CloudWatchError
from sandbox.cloud.cloudwatch.evaluation import COMPARISONS, State, evaluate, evaluation_range
from sandbox.cloud.cloudwatch.reading import is_percentile
from sandbox.cloud.cloudwatch.times import date, stamp

_SETTLING = 0.5


def step_of(period: int) -> int:
    """How often an alarm with this period is evaluated, in seconds."""
    return 60 if period >= 60 else min(period, 10)


def tick(book: AlarmBook, read: query.Read, now: float) -> None:
    """Evaluate every alarm that is due: metric alarms first, then what is made of them."""
    alarms = list(book.alarms.values())
    for alarm in alarms:
        if alarm.kind == "MetricAlarm" and now >= alarm.next_due:
            _evaluate_metric(book, alarm, read, now)
    composites = [alarm for alarm in alarms if alarm.kind == "CompositeAlarm"]
    for _ in composites:  # as many rounds as there can be levels
        if not [alarm for alarm in composites if _evaluate_composite(book, alarm, now)]:
            break


def _evaluate_metric(book: AlarmBook, alarm: Alarm, read: query.Read, now: float) -> None:
    config, period = alarm.config, period_of(alarm.config)
    step = step_of(period)
    end = now // step * step
    alarm.next_due = end + step + min(_SETTLING, step / 4)
    n = int(config["EvaluationPeriods"])
    start = end - evaluation_range(n) * period
    times = [start + i * period for i in range(evaluation_range(n))]
    queries = queries_of(config)
    try:
        results = query.run(queries, query.Span(start, end), read, align=False)
    except CloudWatchError:
        alarm.evaluation_error = True
        return
    alarm.evaluation_error = False
    points = results[next(q["Id"] for q in queries if query.returns_data(q))]
    breaks, threshold = COMPARISONS[config["ComparisonOperator"]], float(config["Threshold"])
    verdict = evaluate(
        [breaks(points[at], threshold) if at in points else None for at in times],
        m=int(config.get("DatapointsToAlarm") or n),
        n=n,
        treat_missing=config.get("TreatMissingData", "missing"),
    )
    if verdict.state in (None, alarm.state) or _too_few_samples(alarm, read, start, end):
        return
    newest = {at: points[at] for at in [t for t in times if t in points][: -n - 1 : -1]}
    reason = reason_text(config, alarm.state, verdict, newest)
    state: State = verdict.state or alarm.state
    book.transition(alarm, state, reason, reason_data(config, points, times, now), now)


def _too_few_samples(alarm: Alarm, read: query.Read, start: float, end: float) -> bool:
    """Whether a percentile must be ignored because it stands on too few values."""
    config = alarm.config
    statistic = str(config.get("ExtendedStatistic"))
    if config.get("EvaluateLowSampleCountPercentile") != "ignore" or not is_percentile(statistic):
        return False
    share = float(statistic[1:]) / 100
    rare = (1 - share) if share >= 0.5 else share
    key, period = query.key_of(config), int(config["Period"])
    counts = read(key, config.get("Unit"), start, end, period, "SampleCount")
    return sum(counts.values()) * rare < 10


def _evaluate_composite(book: AlarmBook, alarm: Alarm, now: float) -> bool:
    """Whether this changed the alarm."""
    rule = parse_rule(alarm.config["AlarmRule"])
    children = [book.alarms[name] for name in sorted(alarms_in(rule)) if name in book.alarms]
    seen = tuple((child.name, child.state, child.transitioned_at) for child in children)
    if seen == alarm.seen_children:
        return False
    alarm.seen_children = seen
    state: State = "ALARM" if holds(rule, {c.name: c.state for c in children}) else "OK"
    if state == alarm.state:
        return False
    book.transition(alarm, state, _because(children), _triggers(children), now)
    return True


def _because(children: list[Alarm]) -> str:
    if not children:
        return "The alarm rule is constant."
    latest = max(children, key=lambda child: child.transitioned_at)
    when = date(latest.transitioned_at)
    return f"{latest.arn} transitioned to {latest.state} at {when:%A %d %B, %Y %H:%M:%S} UTC"


def _triggers(children: list[Alarm]) -> str:
    return json.dumps(
        {
            "triggeringAlarms": [
                {
                    "arn": child.arn,
                    "state": {"value": child.state, "timestamp": stamp(child.transitioned_at)},
                }
                for child in children
            ]
        }
    )
