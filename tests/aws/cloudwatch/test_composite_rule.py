"""The rule language of composite alarms."""

import pytest

from sandbox.cloud.cloudwatch.composite_rule import alarms_in, holds, parse_rule
from sandbox.cloud.cloudwatch.errors import CloudWatchError

STATES = {"bad": "ALARM", "good": "OK", "new one": "INSUFFICIENT_DATA"}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ('ALARM("bad")', True),
        ("ALARM(bad)", True),
        ("ALARM( 'good' )", False),
        ('INSUFFICIENT_DATA("new one")', True),
        ("OK(arn:aws:cloudwatch:eu-west-1:123456789012:alarm:good)", True),
        ("ALARM(bad) AND OK(good)", True),
        ("ALARM(bad) AND NOT OK(good)", False),
        ("ALARM(good) OR ALARM(bad) AND ALARM(good)", False),
        ("ALARM(bad) OR ALARM(good) AND ALARM(good)", True),  # AND binds tighter
        ("(ALARM(bad) OR ALARM(good)) AND ALARM(good)", False),
        ("NOT ALARM(good) AND FALSE", False),
        ("NOT (ALARM(good) AND FALSE)", True),
        ("TRUE", True),
        ("ALARM(vanished)", False),
    ],
)
def test_rules_hold_by_the_states_of_their_alarms(rule, expected):
    assert holds(parse_rule(rule), STATES) is expected


@pytest.mark.parametrize(
    "rule",
    [
        "",
        "ALARM",
        "ALARM()",
        "ALARM(a) ALARM(b)",
        "ALARM(a) AND",
        "(ALARM(a)",
        "ALARM(a))",
        "BROKEN(a)",
        "NOT",
        "AND ALARM(a)",
        "(" * 9000,
        "NOT " * 2000,
    ],
)
def test_other_texts_are_refused(rule):
    with pytest.raises(CloudWatchError):
        parse_rule(rule)


def test_the_alarms_of_a_rule_are_known():
    rule = parse_rule('ALARM("a b") AND NOT (OK(c) OR TRUE OR INSUFFICIENT_DATA("d"))')
    assert alarms_in(rule) == {"a b", "c", "d"}
