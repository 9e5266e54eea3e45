"""What is gone back to is right where a naive choice is wrong.

Naive are: the revision's number minus one, the previous deployment, ECS's last completed one, and
a task definition whose tag means another image by now.
"""

import uuid
from typing import Any

import pytest

from tests.e2e.brisk import BAD, answered_lately, brisk, digests, went_back
from tests.e2e.commands import Run
from tests.e2e.scene import Scene

ECR = "123456789012.dkr.ecr.us-east-1.amazonaws.com/"


def number(task_definition: str) -> int:
    """The revision's number."""
    return int(task_definition.rpartition(":")[2])


@pytest.mark.campaign
def test_three_bad_releases_in_a_row_all_go_back_to_the_same(scene: Scene) -> None:
    """Among them one that is stopped in its rollout; in between, others register revisions."""
    policy = brisk(scene, deploy={"timeout": "8s"})
    good = scene.deploy("1.1", policy, "r1")
    assert good.code == 0, good
    target = good.json["to_task_definition"]
    for release, tag in enumerate((f"2.0{BAD}", "3.0-unhealthy", f"4.0{BAD}"), 2):
        scene.shop.register(f"shop:{release}.9-crash")  # registered, and never deployed
        run = scene.deploy(tag, policy, f"r{release}")
        went_back(scene, run, target, "1.1")
        assert number(run.json["to_task_definition"]) - number(target) > 1, "minus one is wrong"
    assert scene.moves() == [
        *("UpdateService", "UpdateService", "UpdateService"),
        *("UpdateService", "StopServiceDeployment", "UpdateService", "UpdateService"),
    ]


@pytest.mark.campaign
def test_what_was_held_is_not_gone_back_to_though_ecs_would(scene: Scene) -> None:
    """ECS's last completed deployment is the one that we hold."""
    off = brisk(scene, rollback={"enabled": False})
    held = scene.deploy(f"2.0{BAD}", off, "r1")
    assert held.code == 13, held
    policy = brisk(scene, deploy={"timeout": "8s"})
    run = scene.deploy("3.0-unhealthy", policy, "r2")
    went_back(scene, run, scene.shop.task_definition)
    assert scene.moves() == ["UpdateService", "UpdateService", "UpdateService"], "and no Stop"


# --- A tag that has moved ----------------------------------------------------------------------


def movable(scene: Scene, registry: str = "", **options: Any) -> set[str]:
    """Make a service whose image's tag can move unnoticed by others; the digests that it runs."""
    scene.repository = f"{registry}moved-{uuid.uuid4().hex[:8]}"
    scene.make(**options)
    return digests(scene)


def move_the_tag(scene: Scene) -> None:
    """Somebody pushes another image with the tag of the one that runs."""
    scene.world.cloud.aws.move_tag(f"{scene.repository}:1.0", "1.0-errors-1")


def the_very_image(scene: Scene, ran: set[str], run: Run) -> None:
    """What answers is what ran before, though the tag means another image."""
    assert run.code == 10, run
    assert run.json["rollback"]["verified"], run
    assert scene.runs_only("1.0"), scene.truth()
    assert digests(scene) == ran
    assert answered_lately(scene) == {"1.0"}
    assert scene.world.cloud.aws.digest(f"{scene.repository}:1.0") not in ran, "the tag has moved"
    resolved = scene.shop.describe()["currentServiceRevisions"][0]["arn"]
    ecs = scene.world.cloud.client("ecs")
    revision = ecs.describe_service_revisions(serviceRevisionArns=[resolved])
    images = revision["serviceRevisions"][0]["containerImages"]
    assert {one["imageDigest"] for one in images} == ran, "and ECS says so, too"


@pytest.mark.campaign
def test_a_moved_tag_and_a_rollout_that_is_stopped(scene: Scene) -> None:
    """The old task is gone by then: it has to be started again, from the image that ran."""
    scene.served_throughout = False
    ran = movable(scene, minimum_healthy=0, maximum=100)
    deploy = scene.start_deploy("2.0-unhealthy", brisk(scene, deploy={"timeout": "8s"}))
    scene.wait("the end of the old task", lambda: scene.updates() and digests(scene) != ran)
    move_the_tag(scene)
    run = scene.end(deploy)
    the_very_image(scene, ran, run)
    assert scene.moves() == ["UpdateService", "StopServiceDeployment"]


def test_a_moved_tag_is_seen_in_what_ecs_resolved_and_put_right(scene: Scene) -> None:
    """The registry cannot be asked: another image comes, then a copy brings the right one."""
    ran, original = movable(scene), scene.shop.task_definition
    move_the_tag(scene)
    policy = brisk(scene)
    run = scene.deploy(f"2.0{BAD}", policy, "r1")
    the_very_image(scene, ran, run)
    copy = run.json["rollback"]["to"]
    assert copy != original
    scene.passed_through.append(original)
    assert scene.moves() == ["UpdateService"] * 3
    again = scene.deploy(f"3.0{BAD}", policy, "r2")
    the_very_image(scene, ran, again)
    assert again.json["rollback"]["to"] == copy, "the copy is what ran: no further one is needed"


@pytest.mark.campaign
def test_a_moved_tag_is_known_before_where_the_registry_can_be_asked(scene: Scene) -> None:
    ran, original = movable(scene, ECR), scene.shop.task_definition
    move_the_tag(scene)
    policy = brisk(scene)
    run = scene.deploy(f"2.0{BAD}", policy, "r1")
    the_very_image(scene, ran, run)
    assert run.json["rollback"]["to"] != original
    assert scene.moves() == ["UpdateService"] * 2, "the other image never ran"
    good = scene.deploy("3.0", policy, "r2")
    assert good.code == 0, good
    images = scene.truth()["images"]
    assert images == [f"{scene.repository}:3.0"], "a release after a copy has nothing of it"


# --- Task definitions --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "gone", ["deregistered", pytest.param("deleted", marks=pytest.mark.campaign)]
)
def test_a_target_that_was_deregistered_is_registered_again(scene: Scene, gone: str) -> None:
    shop, ecs = scene.make(), scene.world.cloud.client("ecs")
    policy = brisk(scene, monitor={"window": "10m"})
    deploy = scene.start_deploy("2.0", policy, "r1")
    scene.wait_for_step("monitor")
    ecs.deregister_task_definition(taskDefinition=shop.task_definition)
    if gone == "deleted":
        ecs.delete_task_definitions(taskDefinitions=[shop.task_definition])
    assert scene.rollback("it looks odd").code == 10
    run = scene.end(deploy)
    assert run.json["rollback"]["to"] != shop.task_definition
    went_back(scene, run, run.json["rollback"]["to"])


def test_the_first_release_ever_has_no_way_back_and_preflight_says_so(scene: Scene) -> None:
    scene.served_throughout = False
    scene.make(image="shop:1.0-unhealthy", wait=False)
    policy = brisk(scene, deploy={"timeout": "8s"})
    deploy = scene.start_deploy("2.0-unhealthy", policy, "r1")
    progress = scene.wait_for_step("wait")
    notes = " ".join(progress["notes"])
    assert "nothing to go back to" in notes, "said before anything went wrong"
    held = scene.end(deploy)
    assert held.code == 13, held
    assert "no revision to go back to" in held.json["reason"]
    assert scene.slack_says("needs a decision")
    assert len(scene.updates()) == 1
    fix = scene.deploy("3.0", policy, "r2")
    assert fix.code == 0, fix
    run = scene.deploy(f"4.0{BAD}", policy, "r3")
    went_back(scene, run, fix.json["to_task_definition"], "3.0")


@pytest.mark.campaign
def test_two_families_are_told_apart_though_their_numbers_are_the_same(scene: Scene) -> None:
    shop = scene.make()
    other = f"{shop.family}-b"

    def family_b(image: str) -> str:
        found = scene.world.cloud.client("ecs").describe_task_definition(
            taskDefinition=shop.task_definition
        )["taskDefinition"]
        kept = ("cpu", "memory", "networkMode", "requiresCompatibilities", "containerDefinitions")
        source = {key: found[key] for key in kept}
        source["containerDefinitions"][0]["image"] = image
        answer = scene.world.cloud.client("ecs").register_task_definition(family=other, **source)
        return str(answer["taskDefinition"]["taskDefinitionArn"])

    def release(arn: str, ident: str) -> Run:
        given = ("--task-definition", arn, "--policy", policy, "--release", ident)
        return scene.lastgood("deploy", *given, "--output", "json")

    policy = brisk(scene)
    b = family_b("shop:2.0")
    assert number(b) == number(shop.task_definition), "family A and B have one number"
    good = release(b, "r1")
    assert good.code == 0, good
    assert scene.runs_only("2.0")
    bad_a = shop.register(f"shop:3.0{BAD}")
    went_back(scene, release(bad_a, "r2"), b, "2.0")
    bad_b = family_b(f"shop:4.0{BAD}")
    assert number(bad_b) == number(bad_a)
    went_back(scene, release(bad_b, "r3"), b, "2.0")
    operator = scene.operate("rollback", "back to family A", "--to", shop.task_definition)
    assert operator.code == 10, operator
    assert scene.runs_only("1.0")
    assert scene.truth()["taskDefinition"] == shop.task_definition
