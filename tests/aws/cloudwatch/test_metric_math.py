"""Metric math on three periods: 0, 60 and 120."""

import pytest

from sandbox.cloud.cloudwatch.errors import CloudWatchError
from sandbox.cloud.cloudwatch.metric_math import Scope, compute

SERIES = {
    "full": {0.0: 10.0, 60.0: 20.0, 120.0: 30.0},
    "gap": {0.0: 2.0, 120.0: 6.0},
    "late": {60.0: 5.0},
    "zero": {0.0: 0.0, 60.0: 4.0},
    "none": {},
}
SCOPE = Scope(SERIES, [0.0, 60.0, 120.0])


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("full + 1", {0: 11, 60: 21, 120: 31}),
        ("100 * gap / full", {0: 20, 60: 0, 120: 20}),  # a missing point counts as 0
        ("full / zero", {60: 5}),  # and a division by zero drops the point
        ("full - 2 * 3 ^ 2", {0: -8, 60: 2, 120: 12}),
        ("-(gap - 1)", {0: -1, 120: -5}),
        ("10 - gap - 1", {0: 7, 120: 3}),  # to the left
        ("FILL(gap, 0)", {0: 2, 60: 0, 120: 6}),
        ("FILL(gap, REPEAT)", {0: 2, 60: 2, 120: 6}),
        ("FILL(late, REPEAT)", {60: 5, 120: 5}),
        ("FILL(none, 7)", {0: 7, 60: 7, 120: 7}),
        ("FILL(none, REPEAT)", {}),
        ("IF(full >= 20, 1, 0)", {0: 0, 60: 1, 120: 1}),
        ("IF(full >= 20, full)", {60: 20, 120: 30}),  # no else, no point
        ("IF(full >= 20, gap)", {60: 0, 120: 6}),  # chosen but missing is 0
        ("IF(full < 20, 1, gap)", {0: 1, 120: 6}),  # not chosen and no else there: no point
        ("IF(gap, full, 1)", {0: 10, 120: 30}),  # no condition, no point
        ("IF(1 > 2, full, gap)", {0: 2, 120: 6}),
        ("gap == 2 || full > 25", {0: 1, 60: 0, 120: 1}),
        ("full > 15 AND full < 25", {0: 0, 60: 1, 120: 0}),
        ("full / SUM(full) * 60", {0: 10, 60: 20, 120: 30}),
        ("MAX([full, gap, late])", {0: 10, 60: 20, 120: 30}),
        ("AVG([gap, late])", {0: 2, 60: 5, 120: 6}),
        ("MIN([full, gap])", {0: 2, 60: 20, 120: 6}),
        ("SUM(METRICS('a'))", {0: 2, 60: 5, 120: 6}),
        ("full - AVG(full)", {0: -10, 60: 0, 120: 10}),
        ("ABS(gap - 4)", {0: 2, 120: 2}),
        ("TIME_SERIES(3)", {0: 3, 60: 3, 120: 3}),
    ],
)
def test_expressions_mean_what_cloudwatch_means(expression, expected):
    assert compute(expression, SCOPE) == pytest.approx(expected)


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "full +",
        "(full",
        "1 + 2",
        "SUM(full)",
        "unknown + 1",
        "full; 1",
        "[full]",
        "FOO(full)",
        "'text'",
        "full full",
        "IF(full)",
        "FILL(1, 2)",
        "(" * 500 + "full" + ")" * 500,
        "-" * 900 + "full",
        "x" * 3000,
    ],
)
def test_what_is_no_series_is_refused(expression):
    with pytest.raises(CloudWatchError) as refused:
        compute(expression, SCOPE)
    assert refused.value.code == "ValidationError"
