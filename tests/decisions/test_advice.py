"""What is allowed in a policy, and seldom meant."""

from typing import Any

import pytest

from lastgood.decisions.advice import warnings_of
from lastgood.policy import Policy


def advice(*triggers: dict[str, Any], **monitor: str) -> tuple[str, ...]:
    return warnings_of(
        Policy.model_validate(
            {
                "service": "a/b",
                "monitor": monitor,
                **({"triggers": list(triggers)} if triggers else {}),
            }
        )
    )


ERRORS: dict[str, Any] = {"type": "error-rate"}
HEALTH: dict[str, Any] = {"type": "health-check"}
ALARM: dict[str, Any] = {"type": "alarm", "alarm": "x"}
REGRESSION: dict[str, Any] = {"type": "regression"}


@pytest.mark.parametrize(
    ("triggers", "monitor", "words"),
    [
        ([], {}, None),
        ([ERRORS | {"threshold": "50%"}], {}, "half of all requests may fail"),
        ([ERRORS | {"threshold": "49%"}], {}, None),
        ([ERRORS], {"window": "6m"}, None),
        ([ERRORS], {"window": "5m"}, "up to 3m late, so a breach of 3m may be seen only after"),
        ([ERRORS], {"window": "2m"}, "could never fire. Make the window at least 6m"),
        ([ERRORS | {"raw": True}], {"window": "4m"}, None),
        ([ERRORS | {"raw": True}], {"window": "3m"}, "may be seen only after monitor.window"),
        ([ERRORS | {"duration": "6s"}], {"window": "12s"}, None),
        ([ERRORS | {"duration": "6s"}], {"window": "11s"}, "longer than half of monitor.window"),
        ([ERRORS | {"duration": "6m"}], {"window": "12m"}, None),
        ([ERRORS | {"duration": "6m"}], {"window": "11m"}, "longer than half of monitor.window"),
        ([ERRORS | {"consecutive": 1}], {}, "consecutive: a single datapoint rolls back"),
        ([ERRORS | {"datapoints": "1 of 1"}], {}, "datapoints: a single datapoint rolls back"),
        ([ERRORS | {"datapoints": "1 of 3"}], {}, "one bad datapoint of several rolls back"),
        ([ERRORS | {"datapoints": "2 of 3"}], {}, None),
        (
            [HEALTH | {"threshold": 61}],
            {"interval": "10s"},
            "61 checks, one every 10s, take 10m10s",
        ),
        ([HEALTH | {"threshold": 60}], {"interval": "10s"}, None),
        ([HEALTH | {"threshold": 1}], {}, "a single failed check rolls back"),
        ([REGRESSION | {"baseline_for": "299s"}], {}, "is too little to know what is normal"),
        ([REGRESSION | {"baseline_for": "5m"}], {}, None),
        ([{"type": "band", "baseline_for": "60s"}], {}, "is too little to know what is normal"),
        ([{"type": "band"}], {"window": "5m"}, "may be seen only after monitor.window"),
        ([{"type": "band"}], {"window": "6m"}, None),
        ([ALARM, ALARM], {}, "there are only alarms"),
        ([ALARM, HEALTH], {}, None),
        ([HEALTH | {"dry_run": True}], {}, "nothing can roll a release back"),
        ([HEALTH | {"dry_run": True}, HEALTH], {}, None),
        ([ALARM | {"dry_run": True}], {}, "nothing can roll a release back"),
    ],
)
def test_traps(triggers: list[dict[str, Any]], monitor: dict[str, str], words: str | None) -> None:
    said = advice(*triggers, **monitor)
    if words is None:
        assert said == ()
    else:
        [one] = said
        assert words in one


def test_the_key_is_named() -> None:
    first, second = advice(ALARM, ERRORS | {"threshold": "90%", "consecutive": 1})
    assert first == (
        "triggers.1.threshold (90.0 %): half of all requests may fail before anybody is told: "
        "write 5%"
    )
    assert second.startswith("triggers.1.consecutive: ")
