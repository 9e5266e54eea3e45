"""What an image's tag means, read and lived."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from sandbox import Sandbox
from sandbox.app.behaviour import Behaviour, parse
from sandbox.cloud.images import Digests, digest_of, parse_image
from sandbox.scenarios import catalogue
from sandbox.scenarios.stack import Stack
from tests.aws.sandbox.conftest import eventually, get


@pytest.mark.parametrize(
    ("tag", "behaviour"),
    [
        ("2.0", Behaviour("2.0")),
        ("2.0-errors-0.4", Behaviour("2.0", errors=0.4)),
        ("2.0-errors-1", Behaviour("2.0", errors=1.0)),
        ("2.0-slow-3s", Behaviour("2.0", slow=3)),
        ("2.0-slow-500ms", Behaviour("2.0", slow=0.5)),
        ("2.0-crash", Behaviour("2.0", crash=True)),
        ("2.0-unhealthy", Behaviour("2.0", unhealthy=True)),
        ("2.0-dies-5s", Behaviour("2.0", dies=5)),
        ("2.0-degrades-1m", Behaviour("2.0", degrades=60)),
        ("2.0-sick-5s", Behaviour("2.0", sick=5)),
        ("2.0-errors-0.4-slow-1s", Behaviour("2.0", errors=0.4, slow=1)),
        ("v1-rc-2-crash", Behaviour("v1-rc-2", crash=True)),
        ("fix-slow-query", Behaviour("fix-slow-query")),
        ("1.0-crash-fix", Behaviour("1.0-crash-fix")),
        ("2.0-errors-2", Behaviour("2.0-errors-2")),
        ("errors-0.4-slow-1s", Behaviour(errors=0.4, slow=1)),
        ("crash", Behaviour(crash=True)),
    ],
)
def test_a_tag_says_how_its_task_behaves(tag: str, behaviour: Behaviour) -> None:
    assert parse(tag) == behaviour


def test_every_scenario_but_the_good_one_has_a_fault() -> None:
    for scenario in catalogue.ALL:
        fine = parse(scenario.tag) == Behaviour("2.0")
        assert fine == (scenario.expected == "healthy"), scenario.name


def test_images_in_all_their_forms() -> None:
    digest = digest_of("shop", "2.0-crash")
    assert parse_image("shop:2.0") == ("shop", "2.0", None)
    assert parse_image("shop") == ("shop", None, None)
    assert parse_image("localhost:5000/shop:2.0") == ("localhost:5000/shop", "2.0", None)
    assert parse_image("localhost:5000/shop") == ("localhost:5000/shop", None, None)
    assert parse_image(f"shop:2.0-crash@{digest}") == ("shop", "2.0-crash", digest)
    assert parse_image(f"shop@{digest}") == ("shop", None, digest)


def test_a_digest_alone_finds_its_tag_again() -> None:
    digests = Digests()
    digest = digests.digest_of("shop:2.0-crash")
    assert digest == Digests().digest_of("shop:2.0-crash") != digests.digest_of("shop:2.0")
    assert digests.tag_of(f"shop@{digest}") == "2.0-crash"
    assert digests.tag_of("shop") == "latest"


@pytest.fixture
def serve(aws: Sandbox, make: Callable[..., Stack]) -> Callable[..., str]:
    """Run one task without load balancer and traffic; return its URL."""

    def run(image: str, **environment: str) -> str:
        stack = make(image=image, load_balancer=False, environment=environment)
        aws.traffic(0, stack.service)
        task = aws.truth(stack.cluster, stack.service)["tasks"][0]
        return f"http://127.0.0.1:{task['ports'][0]}"

    return run


def test_a_fine_version_tells_its_version(serve: Callable[..., str]) -> None:
    url = serve("shop:2.0")
    status, headers, text = get(url + "/")
    assert (status, headers["X-App-Version"]) == (200, "2.0")
    assert "2.0" in text
    assert get(url + "/health")[0] == 200


def test_errors_are_spread_evenly_and_health_stays_good(serve: Callable[..., str]) -> None:
    url = serve("shop:2.0-errors-0.4")
    statuses = [get(url + "/")[0] for _ in range(25)]
    for start in range(0, 25, 5):
        assert statuses[start : start + 5].count(500) == 2
    assert {get(url + "/health")[0] for _ in range(5)} == {200}


def test_the_environment_says_it_in_the_same_words(serve: Callable[..., str]) -> None:
    url = serve("shop:2.0", SANDBOX_BEHAVIOUR="errors-1")
    status, headers, _ = get(url + "/")
    assert (status, headers["X-App-Version"]) == (500, "2.0")


def test_slow_is_slow_but_for_its_health(serve: Callable[..., str]) -> None:
    url = serve("shop:2.0-slow-1s")
    started = time.monotonic()
    assert get(url + "/health")[0] == 200
    health = time.monotonic() - started
    assert get(url + "/")[0] == 200
    assert time.monotonic() - started >= 1 + health


def test_degrades_starts_well_and_then_fails_everywhere(serve: Callable[..., str]) -> None:
    url = serve("shop:2.0-degrades-2s")
    assert get(url + "/")[0] == 200
    eventually(lambda: get(url + "/")[0] == 503)
    assert get(url + "/health")[0] == 503


def test_sick_fails_only_its_health(serve: Callable[..., str]) -> None:
    url = serve("shop:2.0-sick-2s")
    assert get(url + "/health")[0] == 200
    eventually(lambda: get(url + "/health")[0] == 503)
    assert get(url + "/")[0] == 200


def test_dies_is_replaced_and_its_exit_is_told(
    aws: Sandbox, make: Callable[..., Stack], client: Callable[[str], Any]
) -> None:
    stack = make(image="shop:2.0-dies-1s", load_balancer=False)

    def stopped() -> list[str]:
        arns: list[str] = client("ecs").list_tasks(
            cluster=stack.cluster, serviceName=stack.service, desiredStatus="STOPPED"
        )["taskArns"]
        return arns

    arn = eventually(stopped)[0]

    def ended() -> Any:
        task = client("ecs").describe_tasks(cluster=stack.cluster, tasks=[arn])["tasks"][0]
        return task if task["lastStatus"] == "STOPPED" else None

    task = eventually(ended)
    assert task["stopCode"] == "EssentialContainerExited"
    assert task["stoppedReason"] == "Essential container in task exited"
    assert task["containers"][0]["exitCode"] == 1
    assert task["startedBy"] == stack.describe()["deployments"][0]["id"]
    eventually(lambda: stack.describe()["runningCount"] == 1)
    assert aws.truth(stack.cluster, stack.service)["tasks"][0]["arn"] != arn
