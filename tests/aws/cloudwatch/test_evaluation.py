"""M of N and missing data, against the tables of AWS's documentation.

"Configuring how CloudWatch alarms treat missing data": 0 does not breach, X breaches, - is
missing, the newest on the right. `stay` stands for "Retain current state".
"""

import pytest

from sandbox.cloud.cloudwatch.evaluation import COMPARISONS, evaluate, evaluation_range

TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")
NO_DATA = "INSUFFICIENT_DATA"

THREE_OF_THREE = {
    "0-X-X": ("OK", "OK", "OK", "OK"),
    "0----": ("OK", "OK", "OK", "OK"),
    "-----": (NO_DATA, "stay", "ALARM", "OK"),
    "0XX-X": ("ALARM", "ALARM", "ALARM", "ALARM"),
    "----X": (NO_DATA, "stay", "ALARM", "OK"),
    "X----": ("ALARM", "stay", "ALARM", "OK"),
}
TWO_OF_THREE = {
    "0-X-X": ("ALARM", "ALARM", "ALARM", "ALARM"),
    "00X0X": ("ALARM", "ALARM", "ALARM", "ALARM"),
    "0-X--": ("OK", "OK", "ALARM", "OK"),
    "----0": ("OK", "OK", "ALARM", "OK"),
    "----X": (NO_DATA, "stay", "ALARM", "OK"),
}
# Not in the tables; from the text of "Avoiding premature transitions to alarm state".
PREMATURE_THREE_OF_THREE = {
    "--X--": ("ALARM", "stay", "ALARM", "OK"),
    "---X-": (NO_DATA, "stay", "ALARM", "OK"),
    "--X-X": ("ALARM", "stay", "ALARM", "OK"),
    "--X-0": ("OK", "OK", "OK", "OK"),
}
PREMATURE_TWO_OF_THREE = {
    "---X-": ("ALARM", "stay", "ALARM", "OK"),
    "---XX": ("ALARM", "ALARM", "ALARM", "ALARM"),
}
ONE_OF_ONE = {
    "X-X": ("ALARM",) * 4,
    "X-0": ("OK",) * 4,
    "X--": ("ALARM",) * 4,
    "---": (NO_DATA, "stay", "ALARM", "OK"),
}
TABLES = [
    (3, THREE_OF_THREE),
    (2, TWO_OF_THREE),
    (3, PREMATURE_THREE_OF_THREE),
    (2, PREMATURE_TWO_OF_THREE),
    (1, ONE_OF_ONE),
]
CASES = [
    pytest.param(points, m, 1 if m == 1 else 3, treatment, state, id=f"{m}of:{points}:{treatment}")
    for m, table in TABLES
    for points, states in table.items()
    for treatment, state in zip(TREATMENTS, states, strict=True)
]


@pytest.mark.parametrize(("points", "m", "n", "treatment", "state"), CASES)
def test_states_are_those_of_the_documentation(points, m, n, treatment, state):
    breaches = [{"0": False, "X": True, "-": None}[point] for point in points]
    verdict = evaluate(breaches, m=m, n=n, treat_missing=treatment)
    assert (verdict.state or "stay") == state


@pytest.mark.parametrize(("n", "looked_at"), [(1, 3), (3, 5), (6, 8), (12, 16)])
def test_more_periods_are_looked_at_than_evaluated(n, looked_at):
    assert evaluation_range(n) == looked_at


def test_thresholds_are_exact_at_equality():
    at_threshold = {name: compare(5.0, 5.0) for name, compare in COMPARISONS.items()}
    assert at_threshold == {
        "GreaterThanOrEqualToThreshold": True,
        "GreaterThanThreshold": False,
        "LessThanThreshold": False,
        "LessThanOrEqualToThreshold": True,
    }
