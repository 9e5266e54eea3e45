"""A guard's memory as tags, and back."""

import re
import string
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lastgood.contracts import Freeze, GuardState, Limits
from lastgood.decisions import ledger, mirror, remembering
from lastgood.model import ContainerImage, Revision, RollbackRecord
from lastgood.policy import Policy
from tests.decisions.made import ARN, REF, T0, at, deployment, record, revision, service

ALLOWED = re.compile(r"[A-Za-z0-9 +\-=._:/@]{1,256}")
DIGESTS = some.text("0123456789abcdef", min_size=64, max_size=64).map("sha256:".__add__)
WORDS = some.text(string.printable + "äöü€🙂", max_size=300)
HERE = service(deployment(ARN.format(1)))


def image(container: str, digest: str | None) -> ContainerImage:
    return ContainerImage(container=container, image=f"shop/{container}:1", digest=digest)


REVISIONS = some.builds(
    lambda number, digests: revision(
        number,
        images=tuple(image(f"c{n}", digest) for n, digest in enumerate(digests)),
        proven_at=T0,
    ),
    some.integers(1, 999),
    some.lists(some.none() | DIGESTS, max_size=6),
)
ROLLBACKS = some.builds(
    lambda start, took: record(start, None if took is None else start + took),
    some.integers(0, 10**6),
    some.none() | some.integers(0, 10**5),
)
STATES = some.builds(
    lambda good, bad, rollbacks, reason, frozen: _state(good, bad, rollbacks, reason, frozen),
    some.lists(REVISIONS, max_size=6),
    some.lists(REVISIONS, max_size=6),
    some.lists(ROLLBACKS, max_size=20),
    WORDS,
    some.booleans(),
)


def _state(
    good: list[Revision],
    bad: list[Revision],
    rollbacks: list[RollbackRecord],
    text: str,
    frozen: bool,
) -> GuardState:
    freeze = Freeze(at=T0, actor=text, reason=text, until=at(60)) if frozen else None
    state = GuardState(service=REF, limits=Limits(rollbacks=tuple(rollbacks)), frozen=freeze)
    for one in bad:
        state = ledger.with_demoted(state, one, T0, text)
    for one in good:
        state = ledger.with_good(state, one, T0)
    return state


@given(STATES, some.integers(0, 60))
def test_tags_keep_to_what_ecs_allows(state: GuardState, foreign: int) -> None:
    tags = mirror.tags_of(state, foreign)
    assert len(tags) + min(foreign, 50) <= 50
    for key, value in tags.items():
        assert key in mirror.KEYS
        assert ALLOWED.fullmatch(value), value


def back(state: GuardState) -> GuardState:
    """The memory of a guard that has nothing but the tags."""
    told = mirror.read(mirror.tags_of(state, 0))
    known = {one.label: one.model_copy(update={"proven": None}) for one in state.good}
    return remembering.restored(GuardState(service=REF), told, known, HERE)


@given(STATES)
def test_what_was_written_is_read_back(state: GuardState) -> None:
    again = back(state)
    assert [one.task_definition for one in again.good] == [
        one.task_definition for one in state.good[:3]
    ]
    for was, now in zip(state.good, again.good, strict=False):
        assert now.proven_at == was.proven_at
        known = {i.container: i.digest for i in now.images if i.digest}
        assert known.items() <= {i.container: i.digest for i in was.images if i.digest}.items()
    assert list(again.unproven) == list(state.unproven)[: len(again.unproven)]
    newest = sorted({r.started_at for r in state.limits.rollbacks})[-50:]
    kept = [r.started_at for r in again.limits.rollbacks]
    assert kept[-10:] == newest[-10:] or len(kept) >= len(newest)
    blamed = [one.digest or one.image for one in state.quarantine][:8]
    assert [one.digest or one.image for one in again.quarantine][: len(blamed)] == blamed


def test_what_was_rolled_back_is_refused_where_the_registry_cannot_be_asked() -> None:
    bad = revision(2, images=(image("app", f"sha256:{'b' * 64}"),))
    state = ledger.with_demoted(GuardState(service=REF), bad, T0, "It burned.")
    (again,) = back(state).quarantine
    assert (again.image, again.digest) == ("shop/app:1", f"sha256:{'b' * 64}")
    why = ledger.refuse_quarantined((again,), (image("app", None),))
    assert why is not None
    assert "was rolled back (remembered by the service's tags) and is quarantined" in why
    assert not ledger.refuse_quarantined((again,), (image("app", f"sha256:{'c' * 64}"),))


def test_a_rollbacks_length_counts_for_the_cooldown() -> None:
    state = GuardState(service=REF, limits=Limits(rollbacks=(record(0, 42), record(100))))
    first, second = back(state).limits.rollbacks
    assert (first.started_at, first.finished_at) == (at(0), at(42))
    assert (second.started_at, second.finished_at) == (at(100), None)


@pytest.mark.parametrize(("began", "ended"), [(0.9, 42.4), (0.2, 42.0), (0.0, 42.0), (0.6, 42.7)])
def test_a_cooldown_that_is_read_back_ends_no_earlier(began: float, ended: float) -> None:
    state = GuardState(service=REF, limits=Limits(rollbacks=(record(began, ended),)))
    (back,) = mirror.read(mirror.tags_of(state, 0)).limits.rollbacks
    assert at(ended) <= back.finished_at < at(ended + 1)


def test_fifty_rollbacks_fit() -> None:
    many = tuple(record(n * 60, n * 60 + 45) for n in range(50))
    assert len(back(GuardState(service=REF, limits=Limits(rollbacks=many))).limits.rollbacks) == 50


def test_a_freeze_comes_back_with_who_and_why() -> None:
    freeze = Freeze(at=T0, actor="ann (GitLab CI)", reason="Black Friday; till Monday!", until=None)
    again = back(GuardState(service=REF, frozen=freeze)).frozen
    assert again is not None
    assert (again.actor, again.reason) == ("ann GitLab CI", "Black Friday till Monday")


def test_a_reset_comes_back() -> None:
    state = GuardState(service=REF, limits=Limits(counted_from=T0 + timedelta(seconds=5)))
    assert back(state).limits.counted_from == at(5)


@given(some.dictionaries(some.sampled_from(sorted(mirror.KEYS)), WORDS))
def test_whatever_others_write_into_our_tags_is_no_error(tags: dict[str, str]) -> None:
    told = mirror.read(tags)
    remembering.restored(GuardState(service=REF), told, {}, HERE)


def test_only_what_differs_is_written() -> None:
    there = {"lastgood:good-1": "web:1", "lastgood:good-2": "web:0", "team": "shop"}
    change = mirror.change({"lastgood:good-1": "web:1", "lastgood:frozen": "x"}, there)
    assert change.tags == {"lastgood:frozen": "x"}
    assert change.remove == ("lastgood:good-2",)
    assert change.needed
    assert not mirror.change({}, {"team": "shop"}).needed


def test_what_the_guard_knows_by_itself_comes_first() -> None:
    own = ledger.with_good(GuardState(service=REF), revision(7), T0)
    tags = {"lastgood:good-1": "web:6 20260131T120000Z", "lastgood:unproven": "web:7 web:8"}
    known = {"web:6": revision(6)}
    state = remembering.restored(own, mirror.read(tags), known, HERE)
    assert [one.label for one in state.good] == ["web:7", "web:6"]
    assert state.unproven == (ARN.format(8),)


def test_a_revision_that_cannot_be_read_any_more_is_left_out() -> None:
    told = mirror.read({"lastgood:good-1": "web:6", "lastgood:good-2": "web:5"})
    state = remembering.restored(GuardState(service=REF), told, {"web:5": revision(5)}, HERE)
    assert [one.label for one in state.good] == ["web:5"]


def test_the_digest_of_the_container_that_releases_replace_comes_first() -> None:
    names = ("envoy", "datadog-agent", "fluent-bit", "app")
    images = tuple(image(name, f"sha256:{name[0] * 64}") for name in names)
    policy = Policy(service="shop/web", region="us-east-1", container="app")
    state = GuardState(service=REF, policy=policy)
    state = ledger.with_good(state, revision(1, images=images), T0)

    told = mirror.read(mirror.tags_of(state, 0)).good[0].digests

    assert told["app"] == f"sha256:{'a' * 64}"


@pytest.mark.parametrize(("length", "kept"), [(240, True), (251, True), (255, False)])
def test_a_long_name_leaves_out_what_does_not_fit(length: int, kept: bool) -> None:
    arn = ARN.format(1234).replace("/web:", f"/{'w' * length}:")
    state = ledger.with_good(GuardState(service=REF), Revision(task_definition=arn), T0)

    tags = mirror.tags_of(state, 0)

    assert all(ALLOWED.fullmatch(value) for value in tags.values())
    assert [one.task_definition for one in mirror.read(tags).good] == (
        [arn.rsplit("/", 1)[-1]] if kept else []
    )
