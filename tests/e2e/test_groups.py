"""Three services that belong together, the second one bad: all that were changed go back."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e.checker import check
from tests.e2e.commands import Command, Json, Run
from tests.e2e.scene import REGION, Scene, instant
from tests.e2e.test_crashes import JUDGED_BY_DATA, SLOW_CALLS

BEFORE = ("1.1", "1.2", "1.3")
"""What each service runs before: its own last known good."""
LATER = ("1.4", "1.5", "1.6")
"""What is released then, and is good."""
SECOND_IS_BAD = ("2.0", "2.0-errors-0.4", "2.0")
BAD_AGAIN = ("3.0", "3.0-errors-0.4", "3.0")
PATIENCE = 600.0


@dataclass
class Group:
    """Three scenes of one service each, released as one."""

    scene: Scene
    members: list[Scene]
    path: str

    def start(self, tags: tuple[str, ...], release: str = "r1") -> Command:
        """Start `lastgood deploy` of the group."""
        images = [
            f"{one.shop.name}=shop:{tag}" for one, tag in zip(self.members, tags, strict=True)
        ]
        given = [part for image in images for part in ("--image", image)]
        more = ("--policy", self.path, "--release", release, "--output", "json")
        return self.scene.start("deploy", *given, *more)

    def end(self, command: Command) -> Run:
        """Wait for its verdict."""
        return self.scene.end(command, PATIENCE)

    def notes(self) -> str:
        """What happened so far, as the group's own workflow tells."""
        world = self.scene.world
        ident = f"group/{REGION}/{self.name}"
        progress: Json | None = world.temporal.query(world.namespace, ident, "progress")
        return "\n".join(progress["notes"]) if progress else ""

    def wait_for_note(self, text: str) -> None:
        """Wait until something has happened."""
        self.scene.wait(f"the note {text!r}", lambda: text in self.notes(), PATIENCE)

    @property
    def name(self) -> str:
        """Of this test's own."""
        return f"group-{self.members[0].shop.service}"

    def all_are_back(self, versions: tuple[str, ...] = BEFORE) -> bool:
        """Whether each service runs its own version of before, and no other."""
        pairs = zip(self.members, versions, strict=True)
        return all(one.runs_only(version) for one, version in pairs)

    def order_of_return(self) -> list[int]:
        """In which order the members' last calls came, as the sandbox has them on record."""
        last = [
            (float(one.updates()[-1]["at"]), number)
            for number, one in enumerate(self.members)
            if one.updates()
        ]
        return [number for _, number in sorted(last)]


@contextmanager
def group_of_three(scene: Scene, order: str, **changes: Any) -> Iterator[Group]:
    """Three services, each with its own policy and its own version, in the scene's world."""
    members = [Scene(scene.stage, f"{scene.name} {number}") for number in range(3)]
    try:
        for one, version in zip(members, BEFORE, strict=True):
            one.play_in(scene.world)
            one.make(image=f"shop:{version}")
            one.shop.register("shop:1.9-crash")  # never deployed: one revision less is not it
            one.policy(**changes)
        group = Group(scene, members, "")
        policy = {
            "group": group.name,
            "order": order,
            "region": REGION,
            "services": [one.policies[-1] for one in members],
        }
        path = scene.stage.folder / f"{group.name}.yaml"
        path.write_text(json.dumps(policy))  # which is YAML, too
        group.path = str(path)
        yield group
        for one in members:
            check(one)
    finally:
        for one in members:
            one.close()


def outcomes(run: Run) -> list[str]:
    return [one["outcome"] for one in run.json["members"]]


def rollbacks(scene: Scene) -> list[Json]:
    """The rollbacks that a member's guard remembers."""
    found: list[Json] = scene.overview()["rollbacks"]
    return found


@pytest.mark.campaign
@pytest.mark.long
def test_in_order_the_first_goes_back_and_the_third_never_begins(scene: Scene) -> None:
    with group_of_three(scene, "in-order") as group:
        run = group.end(group.start(SECOND_IS_BAD))
        first, second, third = group.members
        assert run.code == 10, run
        assert outcomes(run) == ["rolled_back", "rolled_back", "cancelled"]
        assert run.json["reason"].startswith(f"{second.shop.name} was rolled back: ")
        assert f"{first.shop.name} went back, too." in run.json["reason"]
        assert f"{third.shop.name} was not begun." in run.json["reason"]
        assert group.all_are_back(), [one.truth() for one in group.members]
        assert third.updates() == []
        assert group.order_of_return() == [1, 0]
        bad, good = rollbacks(second), rollbacks(first)
        assert instant(bad[0]["finished_at"]) <= instant(good[0]["started_at"])
        assert first.overview()["quarantine"] == [], "its image was not to blame"
        again = group.end(group.start(SECOND_IS_BAD))
        assert (again.code, again.out) == (10, run.out), "the same release, not a new one"


@pytest.mark.campaign
@pytest.mark.long
def test_each_goes_back_to_its_own_last_known_good(scene: Scene) -> None:
    """A good release of the group, and two bad ones: what ran before the last was not it."""
    with group_of_three(scene, "at-once") as group:
        good = group.end(group.start(LATER, "r1"))
        assert good.code == 0, good
        for release, tags in (("r2", SECOND_IS_BAD), ("r3", BAD_AGAIN)):
            run = group.end(group.start(tags, release))
            assert run.code == 10, run
            assert outcomes(run) == ["rolled_back"] * 3
            assert group.all_are_back(LATER), [one.truth() for one in group.members]
            back = {one["rollback"]["to"] for one in run.json["members"]}
            assert back == {one["to_task_definition"] for one in good.json["members"]}


@pytest.mark.campaign
@pytest.mark.long
def test_one_that_may_not_begin_changes_none(scene: Scene) -> None:
    with group_of_three(scene, "in-order") as group:
        first, _, third = group.members
        assert third.operate("freeze", "the sale").code == 0
        run = group.end(group.start(SECOND_IS_BAD))
        assert run.code == 15, run
        assert f"{third.shop.name} was refused: " in run.json["reason"]
        assert first.updates() == []
        assert group.all_are_back()


@pytest.mark.campaign
@pytest.mark.long
def test_a_good_group_is_healthy(scene: Scene) -> None:
    with group_of_three(scene, "at-once") as group:
        run = group.end(group.start(("2.0", "2.0", "2.0")))
        assert run.code == 0, run
        assert outcomes(run) == ["healthy"] * 3
        assert run.json["reason"] == "All 3 services are healthy."


Moment = Callable[[Group], None]


def noted(text: str, member: int) -> Moment:
    """Something has happened to a member."""
    return lambda group: group.wait_for_note(f"{group.members[member].shop.name}{text}")


def moved(member: int, times: int = 1) -> Moment:
    """A member's service has been moved, to the release or back; the answer is late."""

    def there(group: Group) -> None:
        one = group.members[member]
        group.scene.wait("a call", lambda: len(one.updates()) >= times, PATIENCE)

    return there


def verified(member: int) -> Moment:
    """A member runs its old version again, and is being verified."""

    def there(group: Group) -> None:
        one, version = group.members[member], BEFORE[member]
        moved(member, 2)(group)
        group.scene.wait("the old version", lambda: one.runs_only(version), PATIENCE)

    return there


@pytest.mark.long
@pytest.mark.parametrize(
    ("order", "moments", "begun"),
    [
        pytest.param("at-once", [moved(2, 2)], 3, id="while the third goes back"),
        pytest.param(
            "in-order",
            [
                *(noted(": release", 0), moved(0), noted(" is healthy", 0)),
                *(moved(1), moved(1, 2), noted(" goes back", 0), moved(0, 2), verified(0)),
            ],
            2,
            id="in order, at each step",
            marks=pytest.mark.campaign,
        ),
        pytest.param(
            "at-once",
            [
                *(noted(": release", 2), moved(1), noted(" was rolled back", 1)),
                *(moved(2, 2), verified(2), moved(0, 2), verified(0)),
            ],
            3,
            id="at once, at each step",
            marks=pytest.mark.campaign,
        ),
    ],
)
def test_a_worker_killed_changes_nothing(
    scene: Scene, order: str, moments: list[Moment], begun: int
) -> None:
    """The calls that move a service are answered late: the kills hit in the middle of them."""
    scene.play_in(scene.stage.own(cloud=scene.stage.slow_cloud(SLOW_CALLS)))
    with group_of_three(scene, order, triggers=JUDGED_BY_DATA) as group:
        deploy = group.start(SECOND_IS_BAD)
        for moment in moments:
            moment(group)
            scene.world.restart_worker()
        run = group.end(deploy)
        assert run.code == 10, run
        assert outcomes(run) == ["rolled_back"] * begun + ["cancelled"] * (3 - begun)
        assert group.all_are_back(), [one.truth() for one in group.members]
        assert [len(one.updates()) for one in group.members] == [2] * begun + [0] * (3 - begun)
        back = group.order_of_return()
        assert [one for one in back if one != 1] == [2, 0][3 - begun :], "in reverse order"
        assert [len(rollbacks(one)) for one in group.members[:begun]] == [1] * begun
        assert all(one["verified"] for member in group.members[:begun] for one in rollbacks(member))
