"""Both exports describe the alarms that apply would put, and their own ecosystems take them."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import hcl2
import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from lastgood.decisions.alarms import cloudformation, terraform
from lastgood.decisions.alarms.differences import normal
from lastgood.decisions.alarms.tags import EXPORTED, tags_of
from lastgood.decisions.alarms.wanted import Wanted, wanted_of
from lastgood.decisions.past_metrics import Balanced
from lastgood.policy import Policy

OWN = {"namespace": "Servio", "name": "Time", "dimensions": {"Stage": "prod", "App": "${web}"}}
TRIGGERS: list[dict[str, Any]] = [
    {"type": "error-rate", "message": 'a "quoted" \\ %{word} of ${somebody}'},
    {"type": "error-rate", "metric": {**OWN, "unit": "ratio"}, "threshold": "7%"},
    {"type": "response-time", "duration": "9m"},
    {"type": "response-time", "metric": {**OWN, "statistic": "p99"}, "dry_run": True},
    {"type": "health-check"},
]
TOPIC = "arn:aws:sns:us-east-1:123456789012:oncall"


def made(groups: int, service: str = "shop/web") -> Wanted:
    policy = Policy.model_validate({"service": service, "triggers": TRIGGERS})
    names = tuple(f"targetgroup/{name}/{name}" for name in "ab"[:groups])
    balanced = Balanced("app/web/1", names, exclusive=True)
    found = wanted_of(policy, dict.fromkeys(range(len(TRIGGERS)), balanced), TOPIC)
    assert len(found.alarms) == len(TRIGGERS)
    return found


TEMPLATE = re.compile(r"(?<!\$)\$\{|(?<!%)%\{")
BOTH = pytest.mark.parametrize("groups", [1, 2])


def plain(value: Any) -> Any:
    """What a parsed literal of HCL stands for: python-hcl2 keeps quotes and escapes."""
    if isinstance(value, dict):
        return {plain(key): plain(one) for key, one in value.items() if key != "__is_block__"}
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, str) and value.startswith('"'):
        assert not TEMPLATE.search(value), f"Terraform would compute {value}"
        return json.loads(value).replace("$${", "${").replace("%%{", "%{")
    return value


def from_terraform(text: str) -> dict[str, dict[str, Any]]:
    """The alarms in a file of Terraform's, in the words of PutMetricAlarm, by their names."""
    found = {}
    backwards = {value: key for key, value in terraform._NAMES.items()}
    for resource in hcl2.loads(text)["resource"]:
        [(kind, named)] = plain(resource).items()
        assert kind == "aws_cloudwatch_metric_alarm"
        [body] = named.values()
        config = {backwards[key]: value for key, value in body.items() if key in backwards}
        config["Tags"] = body["tags"]
        if "dimensions" in body:
            config["Dimensions"] = as_list(body["dimensions"])
        if "metric_query" in body:
            config["Metrics"] = [one_query(one) for one in body["metric_query"]]
        unknown = body.keys() - backwards.keys() - {"tags", "dimensions", "metric_query"}
        assert not unknown
        found[config["AlarmName"]] = config
    return found


def one_query(body: dict[str, Any]) -> dict[str, Any]:
    query = {"Id": body["id"], "ReturnData": body["return_data"]}
    query |= {"Expression": body["expression"]} if "expression" in body else {}
    query |= {"Label": body["label"]} if "label" in body else {}
    for metric in body.get("metric", []):
        named = {"Namespace": metric["namespace"], "MetricName": metric["metric_name"]}
        named["Dimensions"] = as_list(metric["dimensions"])
        query["MetricStat"] = {"Metric": named, "Period": metric["period"], "Stat": metric["stat"]}
    return query


def as_list(pairs: dict[str, str]) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in pairs.items()]


def from_cloudformation(text: str) -> dict[str, dict[str, Any]]:
    found = {}
    for resource in yaml.safe_load(text)["Resources"].values():
        assert resource["Type"] == "AWS::CloudWatch::Alarm"
        config = dict(resource["Properties"])
        config["Tags"] = {one["Key"]: one["Value"] for one in config["Tags"]}
        found[config["AlarmName"]] = config
    return found


def put_by_apply(wanted: Wanted) -> dict[str, dict[str, Any]]:
    tags = tags_of(wanted.service, EXPORTED)
    return {one.name: normal({**one.config, "Tags": tags}) for one in wanted.alarms}


@BOTH
def test_both_exports_describe_exactly_what_apply_puts(groups: int) -> None:
    wanted = made(groups)
    hcl = from_terraform(terraform.module(wanted))
    cfn = from_cloudformation(yaml.safe_dump(cloudformation.template(wanted)))
    assert {name: normal(one) for name, one in hcl.items()} == put_by_apply(wanted)
    assert {name: normal(one) for name, one in cfn.items()} == put_by_apply(wanted)


@given(st.text(st.characters(exclude_categories=("C", "Z")), max_size=30))
def test_any_text_is_a_text_to_terraform(text: str) -> None:
    assume("%{" not in text)  # python-hcl2 does not read %%{ right before the end of a text
    parsed = hcl2.loads(f"a = {terraform._literal(text)}\n")
    assert plain(parsed["a"]) == text


def test_a_directive_is_no_directive() -> None:
    assert terraform._literal("%{ if x }") == '"%%{ if x }"'


@BOTH
def test_cfn_lint_has_nothing_to_say(groups: int, tmp_path: Path) -> None:
    file = tmp_path / "alarms.yaml"
    file.write_text(yaml.safe_dump(cloudformation.template(made(groups)), sort_keys=False))
    lint = str(Path(sys.executable).with_name("cfn-lint"))
    run = subprocess.run([lint, str(file)], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


@pytest.mark.skipif(not shutil.which("terraform"), reason="needs a terraform to be installed")
@BOTH
def test_terraform_would_lay_it_out_the_same(groups: int) -> None:
    """``terraform validate`` needs AWS's provider, which is in no package index."""
    text = terraform.module(made(groups, service="shop/9lives"))
    # No CLI configuration of whoever runs this.
    run = subprocess.run(
        ["terraform", "fmt", "-check", "-diff", "-"],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TF_CLI_CONFIG_FILE": os.devnull, "CHECKPOINT_DISABLE": "1"},
    )
    assert (run.returncode, run.stdout) == (0, ""), run


def test_names_that_their_languages_take() -> None:
    assert cloudformation.logical_id("9-lives_x-error-rate-2") == "9LivesXErrorRate2"
    assert terraform.resource_name("9-Lives_x-error-rate-2") == "alarm_9_lives_x_error_rate_2"
    assert terraform.resource_name("web-error-rate") == "web_error_rate"
