"""``lastgood alarms`` against the sandbox, through real sockets."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lastgood.cli.main import run
from sandbox import Sandbox
from sandbox.scenarios.stack import Stack, make_stack
from sandbox.scenarios.strategy import blue_green
from tests.aws.conftest import REGION
from tests.decisions.test_alarm_exports import from_cloudformation, from_terraform

TOPIC = f"arn:aws:sns:{REGION}:123456789012:oncall"
KINDS = ("error-rate", "response-time", "health-check")
Json = dict[str, Any]
Write = Callable[..., None]
Lastgood = Callable[..., "Run"]


class Run:
    """What came of a command."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def states(self) -> dict[str, str]:
        """The state of each alarm, by the end of its name."""
        found = json.loads(self.out)["alarms"]
        return {next(k for k in KINDS if k in one["name"]): one["state"] for one in found}

    def alarm(self, kind: str) -> Json:
        return next(one for one in json.loads(self.out)["alarms"] if one["name"].endswith(kind))

    def __repr__(self) -> str:
        return f"exit {self.code}\n{self.out}\n{self.err}"


@pytest.fixture(scope="module")
def stack(plain_client: Callable[[str], Any]) -> Iterator[Stack]:
    made = make_stack(plain_client, desired=1)
    yield made
    made.delete()


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calm: Sandbox) -> Write:
    """Writes lastgood.yaml into a folder of its own, from which the command is run."""
    for name, value in calm.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)

    def policy(service: str, *triggers: Json, **more: Any) -> None:
        data = {"service": service, "region": REGION, "notify": {"sns": {"topic_arn": TOPIC}}}
        data |= {"triggers": list(triggers)} if triggers else {}
        Path("lastgood.yaml").write_text(yaml.safe_dump(data | more))

    return policy


@pytest.fixture
def lastgood(capsys: pytest.CaptureFixture[str]) -> Lastgood:
    def invoke(*arguments: str) -> Run:
        capsys.readouterr()
        code = run(["alarms", *arguments])
        said = capsys.readouterr()
        return Run(code, said.out, said.err)

    return invoke


@pytest.fixture
def cloudwatch(plain_client: Callable[[str], Any]) -> Iterator[Any]:
    """CloudWatch, without alarms before and after."""
    client = plain_client("cloudwatch")
    yield client
    for kind in ("CompositeAlarm", "MetricAlarm"):
        found = client.describe_alarms(AlarmTypes=[kind])[f"{kind}s"]
        for one in found:
            client.delete_alarms(AlarmNames=[one["AlarmName"]])


def shown(cloudwatch: Any, name: str) -> Json:
    [found] = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    found_one: Json = found
    return found_one


def tags(cloudwatch: Any, name: str) -> dict[str, str]:
    arn = shown(cloudwatch, name)["AlarmArn"]
    return {
        one["Key"]: one["Value"]
        for one in cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"]
    }


def test_twice_and_the_second_time_nothing_changes(
    stack: Stack, write: Write, lastgood: Lastgood, cloudwatch: Any, cloud: Sandbox
) -> None:
    write(stack.name)
    planned = lastgood("plan", "--detailed-exitcode", "--output", "json")
    assert (planned.code, planned.states) == (3, dict.fromkeys(KINDS, "create"))
    assert cloud.effects("PutMetricAlarm") == []
    advised = lastgood("plan", "--topic", f"{TOPIC}-2")
    assert (advised.code, f"--policy lastgood.yaml --topic {TOPIC}-2" in advised.err) == (0, True)
    first = lastgood("apply")
    assert (first.code, "3 created" in first.out) == (0, True), first
    assert len(cloud.requests("PutMetricAlarm")) == 3
    name = f"{stack.service}-error-rate"
    assert shown(cloudwatch, name)["AlarmActions"] == [TOPIC]
    assert tags(cloudwatch, name)["lastgood:service"] == stack.name
    cloud.forget_requests()
    second = lastgood("apply")
    assert (second.code, second.err, "3 unchanged" in second.out) == (0, "", True), second
    for action in ("PutMetricAlarm", "TagResource", "DeleteAlarms"):
        assert cloud.requests(action) == []
    assert lastgood("plan", "--detailed-exitcode").code == 0


def test_the_load_balancer_is_the_services_own_alone(
    stack: Stack, write: Write, lastgood: Lastgood, cloudwatch: Any
) -> None:
    write(stack.name)
    metrics = lastgood("plan", "--output", "json").alarm("error-rate")["alarm"]["Metrics"]
    stats = {one["Id"]: one["MetricStat"]["Metric"] for one in metrics if "MetricStat" in one}
    assert set(stats) == {"requests", "target_5xx", "connection_errors", "balancer_5xx"}
    own = [{"Name": "LoadBalancer", "Value": stack.load_balancer}]
    assert stats["balancer_5xx"]["Dimensions"] == own
    assert stats["requests"]["Dimensions"] == [
        *own,
        {"Name": "TargetGroup", "Value": stack.target_group},
    ]


def test_only_what_differs_is_put(
    stack: Stack, write: Write, lastgood: Lastgood, cloudwatch: Any, cloud: Sandbox
) -> None:
    write(stack.name)
    assert lastgood("apply").code == 0
    write(
        stack.name,
        *({"type": kind} for kind in KINDS[1:]),
        {"type": "error-rate", "threshold": "7%"},
    )
    cloud.forget_requests()
    changed = lastgood("apply")
    assert (changed.code, "Threshold: 5 → 7" in changed.out) == (0, True), changed
    assert len(cloud.requests("PutMetricAlarm")) == 1
    assert shown(cloudwatch, f"{stack.service}-error-rate")["Threshold"] == 7.0
    assert lastgood("plan", "--detailed-exitcode").code == 0


def test_what_was_edited_by_hand_is_shown_and_stays_until_overwrite(
    stack: Stack, write: Write, lastgood: Lastgood, cloudwatch: Any
) -> None:
    write(stack.name)
    lastgood("apply")
    names = {kind: f"{stack.service}-{kind}" for kind in KINDS}
    config = shown(cloudwatch, names["error-rate"])
    again = {key: config[key] for key in ("AlarmName", "Metrics", "EvaluationPeriods")}
    again |= {key: config[key] for key in ("ComparisonOperator", "DatapointsToAlarm")}
    cloudwatch.put_metric_alarm(**again, Threshold=50.0, TreatMissingData="missing")
    cloudwatch.disable_alarm_actions(AlarmNames=[names["health-check"]])
    planned = lastgood("plan", "--detailed-exitcode")
    assert planned.code == 3
    for said in ("Threshold: 50 → 5", "ActionsEnabled: off → on", "2 edited by hand"):
        assert said in planned.out
    assert "apply --policy lastgood.yaml --overwrite" in planned.err
    applied = lastgood("apply", "--take-over", "--prune")
    assert (applied.code, "2 left alone" in applied.out) == (3, True), applied
    assert shown(cloudwatch, names["error-rate"])["Threshold"] == 50.0
    assert not shown(cloudwatch, names["health-check"])["ActionsEnabled"]
    assert lastgood("apply", "--overwrite").code == 0
    assert shown(cloudwatch, names["error-rate"])["Threshold"] == 5.0
    assert shown(cloudwatch, names["health-check"])["ActionsEnabled"]
    assert lastgood("plan", "--detailed-exitcode").code == 0


def test_another_ones_alarm_is_not_touched_until_it_is_taken_over(
    stack: Stack, write: Write, lastgood: Lastgood, cloudwatch: Any
) -> None:
    theirs = {"Namespace": "Theirs", "MetricName": "X", "Statistic": "Sum", "Period": 60}
    rule = {"EvaluationPeriods": 1, "Threshold": 3, "ComparisonOperator": "GreaterThanThreshold"}
    name = f"{stack.service}-response-time"
    cloudwatch.put_metric_alarm(AlarmName=name, **theirs, **rule)
    cloudwatch.put_composite_alarm(
        AlarmName=f"{stack.service}-health-check", AlarmRule=f"ALARM({name})"
    )
    write(stack.name)
    applied = lastgood("apply", "--overwrite", "--prune", "--output", "json")
    states = {"error-rate": "create", "response-time": "foreign", "health-check": "foreign"}
    assert (applied.code, applied.states) == (3, states), applied
    assert shown(cloudwatch, name)["Namespace"] == "Theirs"
    taken = lastgood("apply", "--take-over")
    assert (taken.code, "a composite alarm has this name" in taken.out) == (3, True), taken
    assert "MetricName: X → none" in taken.out
    assert "Namespace" not in shown(cloudwatch, name)
    assert tags(cloudwatch, name)["lastgood:made-by"] == "lastgood alarms apply"
    assert lastgood("plan", "--output", "json").states["response-time"] == "unchanged"


def test_what_the_policy_has_no_more_goes_only_with_prune(
    stack: Stack, write: Write, lastgood: Lastgood, cloudwatch: Any
) -> None:
    write(stack.name)
    lastgood("apply")
    write(stack.name, {"type": "error-rate"})
    kept = lastgood("apply")
    assert (kept.code, "apply --policy lastgood.yaml --prune" in kept.err) == (3, True), kept
    assert len(cloudwatch.describe_alarms()["MetricAlarms"]) == 3
    pruned = lastgood("apply", "--prune")
    assert (pruned.code, "2 removed" in pruned.out) == (0, True), pruned
    [left] = cloudwatch.describe_alarms()["MetricAlarms"]
    assert left["AlarmName"] == f"{stack.service}-error-rate"


def test_a_lost_answer_and_throttling_are_nothing_to_anybody(
    stack: Stack, write: Write, lastgood: Lastgood, cloudwatch: Any, cloud: Sandbox
) -> None:
    write(stack.name)
    cloud.throttle("PutMetricAlarm", times=1)
    cloud.lose_answer("PutMetricAlarm", times=1)
    assert lastgood("apply").code == 0
    assert lastgood("plan", "--detailed-exitcode").code == 0


@pytest.mark.parametrize("action", ["PutMetricAlarm", "DescribeAlarms", "ListTagsForResource"])
def test_what_is_denied_is_named_with_what_gives_it(
    action: str, stack: Stack, write: Write, lastgood: Lastgood, cloudwatch: Any, cloud: Sandbox
) -> None:
    write(stack.name)
    cloud.deny(action)
    refused = lastgood("apply")
    assert refused.code == 1
    assert refused.err.startswith(f"{action}: AccessDenied"), refused
    assert "lastgood iam" in refused.err
    cloud.clear_faults()
    assert lastgood("apply").code == 0


def test_tasks_that_go_to_two_target_groups(
    make: Callable[..., Stack], write: Write, lastgood: Lastgood, cloudwatch: Any
) -> None:
    stack = make(strategy=blue_green(), load_balancer=True)
    write(stack.name)
    assert lastgood("apply").code == 0
    found = {kind: shown(cloudwatch, f"{stack.service}-{kind}") for kind in KINDS}
    assert all("Metrics" in one for one in found.values())
    assert lastgood("plan", "--detailed-exitcode").code == 0


def test_a_service_without_load_balancer(
    make: Callable[..., Stack], write: Write, lastgood: Lastgood, cloudwatch: Any
) -> None:
    stack = make()
    metric = {"namespace": "Servio", "name": "Errors", "dimensions": {"Service": "web"}}
    write(stack.name, {"type": "error-rate", "metric": metric}, {"type": "response-time"})
    applied = lastgood("apply")
    assert (applied.code, "1 created" in applied.out) == (0, True), applied
    assert "triggers.1 response-time:" in applied.out
    assert "has no load balancer" in applied.out


@pytest.mark.parametrize(
    ("service", "trigger", "said"),
    [
        ("nowhere/web", {"type": "health-check"}, "there is no service nowhere/web"),
        (
            "shop/web",
            {"type": "error-rate", "load_balancer": "lb", "target_group": "nothing"},
            "there is no target group nothing: see target_group",
        ),
    ],
)
def test_what_is_not_there_is_wrong_usage(
    service: str, trigger: Json, said: str, write: Write, lastgood: Lastgood
) -> None:
    write(service, trigger)
    refused = lastgood("plan")
    assert (refused.code, said in refused.err) == (2, True), refused


def test_aws_that_does_not_answer(
    write: Write, lastgood: Lastgood, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(
        "shop/web",
        {"type": "error-rate", "load_balancer": "app/a/1", "target_group": "targetgroup/b/2"},
    )
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    refused = lastgood("plan")
    assert (refused.code, "AWS cannot be asked" in refused.err) == (1, True), refused


@pytest.mark.parametrize("form", ["terraform", "cloudformation"])
def test_export_asks_nobody_where_the_policy_names_everything(
    form: str, write: Write, lastgood: Lastgood, monkeypatch: pytest.MonkeyPatch
) -> None:
    arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:"
    named = {
        "load_balancer": f"{arn}loadbalancer/app/web/1",
        "target_group": f"{arn}targetgroup/web/2",
    }
    write("shop/web", {"type": "error-rate", **named}, {"type": "health-check"})
    text = Path("lastgood.yaml").read_text().replace(f"region: {REGION}\n", "")
    Path("lastgood.yaml").write_text(text)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    exported = lastgood("export", "--format", form)
    assert exported.code == 0, exported
    read = from_terraform if form == "terraform" else from_cloudformation
    alarms = read(exported.out)
    assert sorted(alarms) == ["shop-web-error-rate", "shop-web-health-check"]
    pairs = {one["Name"]: one["Value"] for one in alarms["shop-web-health-check"]["Dimensions"]}
    assert pairs == {"LoadBalancer": "app/web/1", "TargetGroup": "targetgroup/web/2"}


def test_export_without_any_alarm_is_wrong_usage(write: Write, lastgood: Lastgood) -> None:
    write("shop/web", {"type": "alarm", "alarm": "mine"})
    refused = lastgood("export", "--format", "terraform")
    assert (refused.code, "no alarms to export" in refused.err) == (2, True), refused


@pytest.mark.skipif(
    not (shutil.which("terraform") and os.environ.get("LASTGOOD_TERRAFORM_MIRROR")),
    reason="needs terraform, and LASTGOOD_TERRAFORM_MIRROR: a folder that holds AWS's provider",
)
def test_terraform_makes_the_same_alarms(
    stack: Stack, write: Write, lastgood: Lastgood, cloudwatch: Any, tmp_path: Path
) -> None:
    """Its own provider puts them, and our plan finds no field that differs."""
    write(stack.name)
    (tmp_path / "alarms.tf").write_text(lastgood("export", "--format", "terraform").out)
    mirror = json.dumps(os.environ["LASTGOOD_TERRAFORM_MIRROR"])
    (tmp_path / "rc").write_text(
        f"provider_installation {{\n  filesystem_mirror {{\n    path = {mirror}\n  }}\n}}\n"
    )
    skip = "\n".join(
        f"  skip_{one} = true"
        for one in ("credentials_validation", "metadata_api_check", "requesting_account_id")
    )
    (tmp_path / "main.tf").write_text(f'provider "aws" {{\n  region = "{REGION}"\n{skip}\n}}\n')
    env = {**os.environ, "TF_CLI_CONFIG_FILE": str(tmp_path / "rc"), "CHECKPOINT_DISABLE": "1"}
    for arguments in (["init"], ["validate"], ["apply", "-auto-approve"]):
        done = subprocess.run(
            ["terraform", *arguments, "-no-color"],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done
    planned = lastgood("plan", "--output", "json")
    assert planned.states == dict.fromkeys(KINDS, "foreign")
    for kind in KINDS:
        found = planned.alarm(kind)
        assert (found["differences"], "Terraform" in found["owner"]) == ([], True), found
