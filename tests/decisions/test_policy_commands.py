"""``lastgood policy check | schema | init``, and the file that ``init`` writes."""

import json
from typing import Any

import botocore.exceptions
import pytest
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator

from lastgood import strict_yaml
from lastgood.cli import survey
from lastgood.cli.policy import policy
from lastgood.errors import UsageError
from lastgood.policy import Policy
from lastgood.policy_file import parse
from lastgood.policy_schema import schema
from lastgood.policy_template import render
from tests.decisions.policies import EXAMPLE, REFUSED


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(policy, list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


# --- check -------------------------------------------------------------------------------------


def test_a_good_file(tmp_path) -> None:
    path = tmp_path / "lastgood.yaml"
    path.write_text(EXAMPLE)
    result = run("check", "--policy", str(path))
    assert result.exit_code == 0
    assert result.stdout == f"{path}: a good policy for servio-production/servio-production\n"
    assert result.stderr == ""
    as_json = run("check", "--policy", str(path), "--output", "json")
    assert as_json.exit_code == 0
    assert json.loads(as_json.stdout) == {"ok": True, "problems": [], "warnings": []}


def test_a_bad_file(tmp_path) -> None:
    path = tmp_path / "lastgood.yaml"
    path.write_text("service: a/b\nmonitor:\n  window: -10m\n")
    message = "'-10m' is negative: write a duration such as 10s or 5m"
    result = run("check", "--policy", str(path))
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == f"{path}:3: monitor.window: {message}\n"
    as_json = run("check", "--policy", str(path), "--output", "json")
    assert as_json.exit_code == 2
    assert json.loads(as_json.stdout) == {
        "ok": False,
        "problems": [{"line": 3, "key": "monitor.window", "message": message}],
        "warnings": [],
    }


def test_what_is_allowed_and_seldom_meant_is_said(tmp_path) -> None:
    path = tmp_path / "lastgood.yaml"
    path.write_text("service: a/b\ntriggers:\n  - {type: error-rate, threshold: 50%}\n")
    result = run("check", "--policy", str(path))
    assert (result.exit_code, result.stdout) == (0, f"{path}: a good policy for a/b\n")
    [line] = result.stderr.splitlines()
    assert line.startswith(f"{path}: warning: triggers.0.threshold (50.0 %): half of all requests")
    as_json = run("check", "--policy", str(path), "--output", "json")
    assert as_json.exit_code == 0
    assert len(json.loads(as_json.stdout)["warnings"]) == 1


def test_no_file(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("check")
    assert result.exit_code == 2
    assert result.stderr == "lastgood.yaml: cannot be read: No such file or directory\n"


# --- schema ------------------------------------------------------------------------------------


def test_the_schema_is_one_and_knows_the_example() -> None:
    printed = json.loads(run("schema").stdout)
    assert printed["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(printed)
    validator = Draft202012Validator(printed)
    assert list(validator.iter_errors(strict_yaml.read(EXAMPLE).data)) == []
    assert list(validator.iter_errors(strict_yaml.read(render()).data)) == []


SHAPES = ["unknown key", "wrong unit", "no unit", "negative window", "unknown trigger"]
SHAPES += ["trigger without type", "missing alarm name", "missing service", "a typo in a choice"]


@pytest.mark.parametrize("name", SHAPES)
def test_the_schema_refuses_what_the_loader_refuses(name: str) -> None:
    data = strict_yaml.read(REFUSED[name][0]).data
    assert list(Draft202012Validator(schema()).iter_errors(data))


def test_the_schema_describes_every_key() -> None:
    text = schema()
    for part in (text, *text["$defs"].values()):
        for key, value in part["properties"].items():
            target = text["$defs"][value["$ref"].split("/")[-1]] if "$ref" in value else {}
            assert value.get("description") or target.get("description"), key
    assert "null" not in json.dumps(text)
    assert '"PT' not in json.dumps(text), "durations as people write them"


# --- init --------------------------------------------------------------------------------------


def test_a_file_is_written_once(tmp_path) -> None:
    path = tmp_path / "lastgood.yaml"
    result = run("init", "--service", "shop/web", "--region", "eu-west-1", str(path))
    assert (result.exit_code, result.stdout) == (0, "")
    assert parse(path.read_text()) == Policy(service="shop/web", region="eu-west-1")
    assert run("check", "--policy", str(path)).exit_code == 0
    again = run("init", str(path))
    assert again.exit_code == 2
    assert "exists: add --force to overwrite it, or name another file" in again.stderr
    assert parse(path.read_text()).service == "shop/web"


def test_without_a_file_it_goes_to_stdout() -> None:
    assert run("init").stdout == run("init", "-").stdout == render()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--service", "shop"], "write CLUSTER/SERVICE"),
        (["--region", "Frankfurt"], "must be an AWS region"),
        (["--service", "a/b", "--from", "a/c"], "name different services"),
        (["/nowhere/at/all.yaml"], "cannot be written: No such file or directory"),
    ],
)
def test_wrong_usage_of_init(arguments: list[str], sentence: str) -> None:
    result = run("init", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert sentence in result.stderr


def test_without_aws_it_is_the_defaults_and_that_is_said(monkeypatch) -> None:
    def unreachable(*_: Any) -> None:
        raise botocore.exceptions.NoCredentialsError

    monkeypatch.setattr(survey, "survey", unreachable)
    result = run("init", "--from", "shop/web", "--region", "eu-west-1")
    assert result.exit_code == 0
    assert parse(result.stdout) == Policy(service="shop/web", region="eu-west-1")
    assert (
        "# - could not be read (Unable to locate credentials): wrote the defaults" in result.stdout
    )
    assert "shop/web: could not be read (Unable to locate credentials)" in result.stderr


def test_without_a_region_nothing_is_read_and_that_is_wrong_usage(monkeypatch, tmp_path) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    result = CliRunner().invoke(policy, ["init", "--from", "shop/web"], standalone_mode=False)
    assert isinstance(result.exception, UsageError)
    assert "give --region" in str(result.exception)
    assert result.stdout == ""


def test_a_service_that_is_not_there_is_wrong_usage(monkeypatch, tmp_path) -> None:
    def missing(*_: Any) -> None:
        raise UsageError("there is no service shop/web in eu-west-1")

    monkeypatch.setattr(survey, "survey", missing)
    result = run("init", "--from", "shop/web", "--region", "eu-west-1", str(tmp_path / "new.yaml"))
    assert result.exit_code == 2
    assert "--from: there is no service shop/web in eu-west-1" in result.stderr
    assert not (tmp_path / "new.yaml").exists()


# --- Which alarms are about a service ----------------------------------------------------------

SERVICE = {"ClusterName": "shop", "ServiceName": "web"}
GROUP = {"TargetGroup": "targetgroup/web/1"}


def alarm(name: str, dimensions: dict[str, str], **more: Any) -> dict[str, Any]:
    pairs = [{"Name": key, "Value": value} for key, value in dimensions.items()]
    return {"AlarmName": name, "Dimensions": pairs, **more}


def test_alarms_fit_by_their_dimensions() -> None:
    pairs = alarm("", GROUP)["Dimensions"]
    raw = [
        alarm("of the service", SERVICE),
        alarm("of the targets", {**GROUP, "LoadBalancer": "app/lb/1"}),
        alarm(
            "by metric math", {}, Metrics=[{"MetricStat": {"Metric": {"Dimensions": pairs}}}, {}]
        ),
        alarm("of the load balancer alone", {"LoadBalancer": "app/lb/1"}),
        alarm("of another service", {**SERVICE, "ServiceName": "api"}),
        alarm("of the cluster alone", {"ClusterName": "shop"}),
        alarm("scaling", SERVICE, AlarmActions=["arn:aws:autoscaling:eu-west-1:1:scalingPolicy:x"]),
        alarm("of nothing", {}),
    ]
    assert survey.fitting_alarms(raw, [SERVICE, GROUP]) == [
        "by metric math",
        "of the service",
        "of the targets",
    ]
