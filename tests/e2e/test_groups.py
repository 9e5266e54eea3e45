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
from tests.e2e.test_crashes import JUDGED_BY_DATA

BEFORE = ("1.1", "1.2", "1.3")
"""What each service runs before: its own last known good."""
SECOND_IS_BAD = ("2.0", "2.0-errors-0.4", "2.0")
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

    def all_are_back(self) -> bool:
        """Whether each service runs its own version of before, and no other."""
        pairs = zip(self.members, BEFORE, strict=True)
        return all(one.runs_only(version) for one, version in pairs)


@contextmanager
def group_of_three(scene: Scene, order: str, **changes: Any) -> Iterator[Group]:
    """Three services, each with its own policy and its own version, in the scene's world."""
    members = [Scene(scene.stage, f"{scene.name} {number}") for number in range(3)]
    try:
        for one, version in zip(members, BEFORE, strict=True):
            one.play_in(scene.world)
            one.make(image=f"shop:{version}")
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
        bad, good = rollbacks(second), rollbacks(first)
        assert instant(bad[0]["finished_at"]) <= instant(good[0]["started_at"])
        assert first.overview()["quarantine"] == [], "its image was not to blame"
        again = group.end(group.start(SECOND_IS_BAD))
        assert (again.code, again.out) == (10, run.out), "the same release, not a new one"


@pytest.mark.long
def test_at_once_all_three_go_back_in_reverse_order(scene: Scene) -> None:
    with group_of_three(scene, "at-once") as group:
        run = group.end(group.start(SECOND_IS_BAD))
        first, _, third = group.members
        assert run.code == 10, run
        assert outcomes(run) == ["rolled_back"] * 3
        assert group.all_are_back(), [one.truth() for one in group.members]
        last, before = rollbacks(third), rollbacks(first)
        assert instant(last[0]["finished_at"]) <= instant(before[0]["started_at"])
        assert last[0]["verified"]
        assert before[0]["verified"]


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


def changed(member: int) -> Moment:
    """A member's service has been moved; the answer is late."""

    def there(group: Group) -> None:
        one = group.members[member]
        group.scene.wait("an UpdateService", one.updates, PATIENCE)

    return there


def goes_back(member: int) -> Moment:
    """A member's rollback has begun."""

    def there(group: Group) -> None:
        one = group.members[member]
        group.scene.wait("a rollback", lambda: rollbacks(one), PATIENCE)

    return there


@pytest.mark.campaign
@pytest.mark.long
@pytest.mark.parametrize(
    ("order", "moments", "begun"),
    [
        pytest.param(
            "in-order",
            [
                *(noted(": release", 0), changed(0), noted(" is healthy", 0)),
                *(changed(1), goes_back(1), noted(" goes back", 0), goes_back(0)),
            ],
            2,
            id="in order",
        ),
        pytest.param(
            "at-once",
            [noted(": release", 2), changed(1), noted(" was rolled back", 1), goes_back(0)],
            3,
            id="at once",
        ),
    ],
)
def test_a_worker_killed_at_each_step_changes_nothing(
    scene: Scene, order: str, moments: list[Moment], begun: int
) -> None:
    scene.play_in(scene.stage.own())
    with group_of_three(scene, order, triggers=JUDGED_BY_DATA) as group:
        deploy = group.start(SECOND_IS_BAD)
        for moment in moments:
            moment(group)
            scene.world.restart_worker()
        run = group.end(deploy)
        assert run.code == 10, run
        assert outcomes(run) == ["rolled_back"] * begun + ["cancelled"] * (3 - begun)
        assert group.all_are_back(), [one.truth() for one in group.members]
        assert [len(rollbacks(one)) for one in group.members[:begun]] == [1] * begun
        assert all(one.updates() == [] for one in group.members[begun:])
