"""The table of `doctor` as people read it."""

from __future__ import annotations

import pytest

from lastgood.cli import doctor_table
from lastgood.contracts import Examination
from lastgood.decisions.examining.lines import broken, fine, not_examined, warning

FOUND = (
    Examination(
        subject="Temporal",
        where="localhost:7233, namespace default",
        lines=(fine("temporal", "reachable", "answers"),),
    ),
    Examination(
        subject="shop/web",
        where="eu-west-1",
        lines=(
            fine("permissions", "ecs:UpdateService", "allowed"),
            broken(
                "permissions",
                "elasticloadbalancing:DescribeTargetGroups",
                "not allowed (AccessDeniedException)",
                'Allow elasticloadbalancing:DescribeTargetGroups on "*" to the worker; '
                "`lastgood iam` writes the whole policy.",
            ),
            fine("permissions", "cloudwatch:DescribeAlarmHistory", "allowed"),
            warning(
                "second net",
                "circuit breaker",
                "off",
                "aws ecs update-service --cluster c --service s --deployment-configuration X",
            ),
        ),
    ),
)


def test_it_is_a_table_with_remedies_below() -> None:
    assert list(doctor_table.as_text(FOUND, 80)) == [
        "Temporal (localhost:7233, namespace default)",
        "    ok       reachable  answers",
        "",
        "shop/web (eu-west-1)",
        "  permissions",
        "    ok       ecs:UpdateService  allowed",
        "    BROKEN   elasticloadbalancing:DescribeTargetGroups",
        "                                not allowed (AccessDeniedException)",
        '             → Allow elasticloadbalancing:DescribeTargetGroups on "*" to the',
        "               worker; `lastgood iam` writes the whole policy.",
        "    ok       cloudwatch:DescribeAlarmHistory  allowed",
        "  second net",
        "    warning  circuit breaker  off",
        "             → aws ecs update-service --cluster c --service s",
        "               --deployment-configuration X",
        "",
        "Not ready: 1 broken, 1 warning, 3 fine.",
    ]


def test_marks_are_coloured_where_colour_is_wanted() -> None:
    text = "\n".join(doctor_table.as_text(FOUND, 80, coloured=True))
    assert "\x1b[31mBROKEN \x1b[0m" in text
    assert "    ok       reachable" in text


@pytest.mark.parametrize("width", [60, 80, 100])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    assert all(len(line) <= width for line in doctor_table.as_text(FOUND, width))


def test_what_is_unknown_for_one_reason_is_one_line() -> None:
    because = "the service cannot be read"
    some = [not_examined("triggers", f"{n} alarm", because) for n in range(3)]
    found = Examination(
        subject="shop/web",
        where="eu-west-1",
        lines=(fine("triggers", "3 error-rate", "60 datapoints"), *some),
    )
    assert list(doctor_table.as_text([found], 80))[1:5] == [
        "    ok       3 error-rate  60 datapoints",
        "    unknown  3 lines       not examined, because the service cannot be read: 0",
        "                           alarm, 1 alarm, 2 alarm",
        "             → See to that first.",
    ]
    assert len(doctor_table.as_json([found])["examined"][0]["lines"]) == 4  # type: ignore[index]


def test_json_says_whether_it_is_good() -> None:
    said = doctor_table.as_json(FOUND)
    assert said["good"] is False
    assert said["counts"] == {"broken": 1, "unknown": 0, "warning": 1, "fine": 3}
