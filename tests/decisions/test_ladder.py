"""Which call brings a service back: all states."""

from itertools import product

import pytest

from lastgood.decisions.ladder import choose
from lastgood.model import ServiceState
from tests.decisions.made import NEW, OLD, OTHER, deployment, service

GONE = [
    None,
    service(deployment(NEW), status="DRAINING"),
    service(deployment(NEW), status="INACTIVE"),
]


@pytest.mark.parametrize("state", GONE)
@pytest.mark.parametrize("adopt", [True, False])
def test_a_service_that_is_gone(state: ServiceState | None, adopt: bool) -> None:
    assert choose(state, target=OLD, wrong=NEW, adopt=adopt).do == "give_up"


ROLLOUTS = [None, "IN_PROGRESS", "COMPLETED", "FAILED"]


@pytest.mark.parametrize(("adopt", "rollout"), list(product([True, False], ROLLOUTS)))
@pytest.mark.parametrize(
    ("runs", "acts", "adopts"),
    [
        (NEW, "update_service", "wait"),
        (OLD, "wait", "wait"),
        (OTHER, "leave", "leave"),
    ],
)
def test_by_what_runs_whatever_the_rollout(
    runs: str, acts: str, adopts: str, adopt: bool, rollout: str | None
) -> None:
    others = [deployment(arn, id=arn, status="ACTIVE") for arn in (OLD, NEW, OTHER) if arn != runs]
    state = service(deployment(runs, rollout_state=rollout), *others)
    rung = choose(state, target=OLD, wrong=NEW, adopt=adopt)
    assert rung.do == (adopts if adopt else acts)
    assert rung.reason


def test_only_the_release_that_went_wrong_is_moved() -> None:
    state = service(deployment(NEW, status="ACTIVE"))  # no PRIMARY at all
    assert choose(state, target=OLD, wrong=NEW).do == "leave"
    rung = choose(service(deployment(OTHER)), target=OLD, wrong=NEW)
    assert rung.reason == "The service runs web:3: somebody else's."
