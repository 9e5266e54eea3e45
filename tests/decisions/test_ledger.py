"""What a guard thinks of each revision."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lastgood.contracts import GuardState
from lastgood.decisions import ledger
from lastgood.model import ContainerImage
from tests.decisions.made import ARN, REF, T0, at, revision


@given(some.lists(some.tuples(some.booleans(), some.integers(1, 100)), max_size=80))
def test_a_revision_is_remembered_once_as_what_it_proved_last(
    history: list[tuple[bool, int]],
) -> None:
    state = GuardState(service=REF)
    last: dict[str, bool] = {}
    for proved, number in history:
        arn = ARN.format(number)
        state = (
            ledger.with_good(state, revision(number), T0)
            if proved
            else ledger.with_demoted(state, revision(number), T0, "rolled back")
        )
        last[arn] = proved
        newest = state.good[0].task_definition if proved else state.unproven[0]
        assert newest == arn
    good = [one.task_definition for one in state.good]
    assert len(good) == len(set(good)) <= ledger.KEPT_GOOD
    assert len(state.unproven) == len(set(state.unproven))
    assert not set(good) & set(state.unproven)
    assert all(last[arn] for arn in good)
    assert not any(last[arn] for arn in state.unproven)


def image(name: str, digest: str | None = None, container: str = "app") -> ContainerImage:
    return ContainerImage(container=container, image=name, digest=digest)


A, B, C = "sha256:aa", "sha256:bb", "sha256:cc"
GOOD = revision(1, images=(image("app:1", A), image("proxy:1", C, "proxy")))
BAD = revision(2, images=(image("app:2", B), image("proxy:1", C, "proxy")), release="r2")
EMPTY = GuardState(service=REF)


def given_a_rollback() -> GuardState:
    state = ledger.with_good(EMPTY, GOOD, T0)
    state = ledger.with_candidate(state, BAD, at(1))
    return ledger.with_demoted(state, BAD, at(2), "error-rate was bad")


def test_a_revision_goes_from_candidate_to_good_or_demoted() -> None:
    state = ledger.with_candidate(EMPTY, BAD, T0)
    (entry,) = state.ledger
    assert (entry.status, entry.why) == ("candidate", "released by r2")
    good = ledger.with_good(state, BAD.model_copy(update={"proven": "approved by ann"}), at(1))
    assert [(one.status, one.why, one.since) for one in good.ledger] == [
        ("good", "approved by ann", at(1))
    ]
    assert good.good[0].proven_at == at(1)
    demoted = ledger.with_demoted(state, BAD, at(1), "bad")
    assert [(one.status, one.why) for one in demoted.ledger] == [("demoted", "bad")]


def test_the_json_of_a_good_revision_is_kept_and_that_of_others_is_not() -> None:
    full = GOOD.model_copy(update={"source": {"family": "web"}})
    state = ledger.with_good(EMPTY, full, T0)
    assert ledger.with_good(state, GOOD, at(1)).good[0].source == {"family": "web"}
    for after in (
        ledger.with_demoted(state, full, at(1), "bad"),
        ledger.with_candidate(state, full, at(1)),
    ):
        gone = ledger.entry(after, full.task_definition)
        assert gone
        assert gone.revision.source == {}


def test_digests_that_are_known_of_a_good_revision_are_kept() -> None:
    read = revision(1, images=(image("app:1"), image("proxy:1", None, "proxy")))
    state = ledger.with_good(EMPTY, GOOD, T0)

    assert ledger.with_good(state, read, at(1)).good[0].images == GOOD.images
    assert ledger.as_known(read, state.good).images == GOOD.images
    assert ledger.as_known(read, (BAD,)) == read
    assert ledger.with_digests(ledger.with_good(EMPTY, read, T0), GOOD).good[0].images == (
        GOOD.images
    )


def test_what_is_rolled_back_is_quarantined_by_its_digest_but_not_its_sidecar() -> None:
    (one,) = given_a_rollback().quarantine

    assert (one.image, one.digest, one.release, one.reason) == (
        "app:2",
        B,
        "r2",
        "error-rate was bad",
    )


def test_what_went_back_for_its_groups_sake_is_not_quarantined() -> None:
    state = ledger.with_demoted(EMPTY, BAD, T0, "its group", blame=False)

    assert state.quarantine == ()
    assert state.unproven == (BAD.task_definition,)


def test_an_image_that_a_good_revision_runs_too_is_not_to_blame() -> None:
    twin = revision(3, images=GOOD.images)
    state = ledger.with_good(EMPTY, GOOD, T0)

    assert ledger.with_demoted(state, twin, at(1), "its environment").quarantine == ()


@pytest.mark.parametrize(
    ("released", "refused"),
    [
        (image("app:2", B), True),
        (image("app:latest", B), True),  # another name for the same
        (image(f"app@{B}"), True),
        (image("app:2", C), False),  # the tag has moved
        (image("app:2"), True),  # nobody knows what the tag means now
        (image("app:3"), False),
    ],
)
def test_who_is_refused_as_quarantined(released: ContainerImage, refused: bool) -> None:
    why = ledger.refuse_quarantined(given_a_rollback().quarantine, (released,))

    assert bool(why) == refused
    if why:
        assert why.startswith(f"{B} of release r2 was rolled back at 2026-01-31 12:00 UTC")
        assert "(error-rate was bad)" in why
        assert "--force --reason" in why


def test_quarantine_goes_by_name_where_no_digest_is_known() -> None:
    bad = revision(2, images=(image("app:2"),))
    state = ledger.with_demoted(EMPTY, bad, T0, "bad")

    assert ledger.refuse_quarantined(state.quarantine, (image("app:2", B),))
    assert ledger.refuse_quarantined(state.quarantine, (image("app:3", B),)) is None


def test_a_forced_release_that_proves_good_leaves_the_quarantine() -> None:
    again = revision(4, images=(image("app:again", B),))

    assert ledger.with_candidate(given_a_rollback(), again, at(3)).quarantine
    assert ledger.with_good(given_a_rollback(), again, at(3)).quarantine == ()


def test_an_image_that_is_rolled_back_twice_is_quarantined_once_with_the_newest_reason() -> None:
    again = revision(4, images=(image("app:again", B),), release="r4")
    state = ledger.with_demoted(given_a_rollback(), again, at(3), "worse")

    assert [(one.release, one.reason) for one in state.quarantine] == [("r4", "worse")]


def test_only_what_a_release_brings_anew_is_asked_for() -> None:
    assert ledger.images_released(BAD.images, "app:2") == BAD.images[:1]
    assert ledger.images_released(BAD.images, None) == BAD.images


def test_what_is_kept_is_limited_and_the_oldest_goes_first() -> None:
    state = EMPTY
    for n in range(1, 101):
        one = revision(n, images=(image(f"app:{n}", f"sha256:{n:02x}"),))
        state = ledger.with_demoted(state, one, at(n), "bad")
    for n in range(101, 121):
        state = ledger.with_good(state, revision(n), at(n))
    assert [one.task_definition for one in state.good] == [
        ARN.format(n) for n in range(120, 110, -1)
    ]
    assert state.unproven == tuple(ARN.format(n) for n in range(100, 50, -1))
    assert [one.image for one in state.quarantine] == [f"app:{n}" for n in range(100, 80, -1)]


@pytest.mark.parametrize(("since", "order"), [(2, "3 2 1"), (9, "2 3 1")])
def test_what_was_not_released_after_all_is_thought_of_as_before(since: int, order: str) -> None:
    state = ledger.with_good(EMPTY, revision(1), at(1))
    earlier = ledger.entry(ledger.with_good(EMPTY, revision(2), at(since)), ARN.format(2))
    state = ledger.with_good(state, revision(3), at(5))
    begun = ledger.with_candidate(state, revision(2), at(10))

    after = ledger.as_before(begun, ARN.format(2), earlier)

    assert [one.label for one in after.good] == [f"web:{n}" for n in order.split()]
    assert ledger.as_before(begun, ARN.format(2), None) == state
