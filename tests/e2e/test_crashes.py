"""The worker killed with SIGKILL at each step: the release ends as it would have (point 5)."""

from collections.abc import Callable

import pytest

from tests.e2e.scene import Scene

Condition = Callable[[Scene], bool]
SLOW_CALLS = ("UpdateService", "DescribeTaskDefinition")
"""Answered late, after they were carried out, so that a kill hits them in the middle."""


def step(name: str) -> Condition:
    """The release has begun a step of the pipeline."""

    def there(scene: Scene) -> bool:
        progress = scene.query("release", "progress")
        return bool(progress and name in [step["name"] for step in progress["steps"]])

    return there


def calls(number: int) -> Condition:
    """ECS has carried out so many UpdateService calls; the last one is not answered yet."""
    return lambda scene: len(scene.updates()) == number


def smoke_is_asked(scene: Scene) -> bool:
    return f"/smoke/{scene.shop.service}" in scene.stage.http.asked


def is_back(scene: Scene) -> bool:
    """The old version runs again, and is being verified."""
    return len(scene.updates()) == 2 and scene.runs_only("1.0")


def slack_is_told(scene: Scene) -> bool:
    """Slack has the verdict, and does not answer yet."""
    return bool(scene.slack_says("was rolled back"))


JUDGED_BY_DATA = [
    {"type": "error-rate", "threshold": "5%", "duration": "3s"},
    {"type": "response-time", "threshold": "2000ms", "duration": "3s"},
]
"""A window of seconds is shorter than the time until a lost watch is taken up again: its health
checks would be too few to call it healthy. CloudWatch's data has no such gap."""
GOOD, BAD = ("2.0", 0), ("2.0-errors-0.4", 10)


@pytest.mark.long
@pytest.mark.parametrize(
    ("release", "moment"),
    [
        pytest.param(GOOD, step("preflight"), id="preflight", marks=pytest.mark.campaign),
        pytest.param(BAD, calls(1), id="deploy"),
        pytest.param(GOOD, step("wait"), id="wait", marks=pytest.mark.campaign),
        pytest.param(GOOD, smoke_is_asked, id="smoke test", marks=pytest.mark.campaign),
        pytest.param(GOOD, step("monitor"), id="monitor", marks=pytest.mark.campaign),
        pytest.param(BAD, calls(2), id="roll back"),
        pytest.param(BAD, is_back, id="verify", marks=pytest.mark.campaign),
        pytest.param(BAD, slack_is_told, id="notify", marks=pytest.mark.campaign),
    ],
)
def test_a_killed_worker_changes_nothing(
    scene: Scene, release: tuple[str, int], moment: Condition
) -> None:
    tag, code = release
    scene.play_in(scene.stage.own(cloud=scene.stage.slow_cloud(SLOW_CALLS)))
    scene.make()
    smoke = [{"url": f"{scene.stage.http.address}/smoke/{scene.shop.service}", "timeout": "15s"}]
    late = {"webhook_url": "env:SLACK_LATE_URL"}
    policy = scene.policy(smoke=smoke, notify={"slack": late}, triggers=JUDGED_BY_DATA)
    deploy = scene.start_deploy(tag, policy)
    scene.wait("the moment to kill the worker", lambda: moment(scene))
    scene.world.restart_worker()
    run = scene.end(deploy)
    assert run.code == code, run
    assert len(scene.updates()) == (2 if code else 1), "one effect for each decision"
    assert scene.runs_only("1.0" if code else "2.0"), scene.truth()
