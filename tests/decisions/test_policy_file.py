"""The policy file: what is refused, where, and in which words; what the example means."""

from datetime import timedelta

import pytest

from lastgood.errors import PolicyError
from lastgood.policy import EmailChannel, Policy, RollbackPolicy, SlackChannel
from lastgood.policy_file import load, parse
from lastgood.policy_triggers import (
    AlarmTrigger,
    ErrorRateTrigger,
    HealthCheckTrigger,
    ResponseTimeTrigger,
)
from lastgood.strict_yaml import MAX_BYTES
from tests.decisions.policies import EXAMPLE, REFUSED, under

SECRET = "hunter2-MARK"


def problems(text: str) -> list[str]:
    """The lines of the error, without the file's name."""
    with pytest.raises(PolicyError) as caught:
        parse(text, "p.yaml")
    lines = str(caught.value).split("\n")
    assert all(line.startswith("p.yaml:") for line in lines)
    return [line.removeprefix("p.yaml:").strip() for line in lines]


# --- What the example means --------------------------------------------------------------------


def test_the_designs_example_means_what_it_says() -> None:
    policy = parse(EXAMPLE)
    assert policy.service == "servio-production/servio-production"
    assert (policy.region, policy.container) == ("us-east-1", "app")
    assert policy.deploy.timeout == timedelta(minutes=5)
    assert policy.monitor.interval == timedelta(seconds=10)
    assert policy.smoke[0].expect.status == 200
    errors, times, health, alarm = policy.triggers
    assert isinstance(errors, ErrorRateTrigger)
    assert errors.metric
    assert (errors.threshold, errors.duration) == (0.05, timedelta(seconds=60))
    assert errors.metric.dimensions == {"Service": "servio-production"}
    assert isinstance(times, ResponseTimeTrigger)
    assert times.threshold == timedelta(seconds=1)
    assert isinstance(health, HealthCheckTrigger)
    assert health.threshold == 3
    assert isinstance(alarm, AlarmTrigger)
    assert alarm.alarm == "servio-production-error-rate"
    assert policy.rollback == RollbackPolicy()
    assert policy.notify.slack == SlackChannel(webhook_url="env:SLACK_WEBHOOK_URL")
    assert policy.notify.email == EmailChannel(
        from_="deploys@servio.com", to=["oncall@servio.com"], via="ses"
    )
    assert Policy.model_validate_json(policy.model_dump_json()) == policy


def test_the_service_alone_is_enough() -> None:
    policy = parse("service: a/b")
    assert policy == Policy(service="a/b")
    assert [trigger.type for trigger in policy.triggers] == [
        "error-rate",
        "response-time",
        "health-check",
        "regression",
    ]
    assert [trigger.dry_run for trigger in policy.triggers] == [False, False, False, True]


def test_numbers_and_quotes() -> None:
    policy = parse(
        'service: "a/b"\n'
        "triggers:\n"
        "  - {type: error-rate, threshold: 0.05, message: 'on'}\n"
        '  - {type: alarm, alarm: "010"}\n'
    )
    first, second = policy.triggers
    assert isinstance(first, ErrorRateTrigger)
    assert (first.threshold, first.message) == (0.05, "on")
    assert isinstance(second, AlarmTrigger)
    assert second.alarm == "010"


def test_a_freeze_needs_a_zone_alone() -> None:
    lines = ("freeze:", "  - zone: UTC", "  - {days: [fri, sat], from: '16:00', zone: Asia/Tokyo}")
    whole, weekend = parse(under("deploy", *lines)).deploy.freeze
    assert (whole.from_, whole.to, len(whole.days)) == ("00:00", "24:00", 7)
    assert (weekend.from_, weekend.to, weekend.days) == ("16:00", "24:00", ["fri", "sat"])


def test_a_zone_that_was_accepted_once_is_read_by_who_does_not_know_it() -> None:
    policy = parse(under("deploy", "freeze:", "  - zone: UTC"))
    gone = policy.model_dump_json().replace("UTC", "Europe/Atlantis")
    assert Policy.model_validate_json(gone).deploy.freeze[0].zone == "Europe/Atlantis"


# --- What is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(text: str, sentence: str) -> None:
    (only,) = problems(text)
    assert only.startswith(sentence) if sentence[0].isdigit() else sentence in only
    assert "pydantic" not in only
    assert "Input should" not in only


def test_all_problems_are_said_at_once_in_the_order_of_lines() -> None:
    found = problems(
        "servce: a/b\nregion: ~\nregion: x\nmonitor:\n  window: 5\ntriggers:\n  - type: alarm"
    )
    assert [line.split(" ")[0] + line.split(" ")[1] for line in found] == [
        "1:servce:",
        "2:region:",
        "3:region:",
        "5:monitor.window:",
        "7:triggers.0.alarm:",
    ]


def test_a_combination_is_refused_at_each_of_its_keys() -> None:
    found = problems(under("monitor", "window: 30s", "interval: 1m"))
    assert [line.partition(": ")[0] for line in found] == ["3", "3", "4"]


def test_too_many_problems_are_counted() -> None:
    found = problems("\n".join(f"key{n}: 1" for n in range(500)))
    assert len(found) == 101
    assert found[-1] == "and 401 more problems"


@pytest.mark.parametrize(
    "text",
    [
        under("notify", f"slack: {{webhook_url: https://hooks.example.com/{SECRET}}}"),
        under("notify", f"slack: {{webhook_url:https://hooks.example.com/{SECRET}}}"),
        under("notify", f"slack: https://hooks.example.com/{SECRET}"),
        under("notify", f"webhook: {{url: {SECRET}}}"),
        under("notify", f"webhook: {{url: {{{SECRET}: 1}}}}"),
        under("notify", f"{SECRET}: 1"),
        under("notify", "email:", "  via: smtp", f"  smtp: {{host: h, password: {SECRET}}}"),
        under("notify", "email:", "  via: smtp", f"  smtp: {{host: h, username: {SECRET}}}"),
        under("notify", "email:", "  via: smtp", f"  smtp: {{host: h, pasword: {SECRET}}}"),
        under("notify", f"sns: {{topic_arn: {SECRET}}}"),
        under("smoke", f"- url: https://me:{SECRET}@example.com/"),
        under("notify", f"slack: {{webhook_url: !x {SECRET}}}"),
        under("notify", f"slack: &{SECRET.replace('-', '')} {{}}"),
        f"slack: {{webhook_url: {SECRET}}}",
        f"webhook_url: {{{SECRET}: ~}}",
    ],
)
def test_secrets_in_the_clear_are_refused_and_not_repeated(text: str) -> None:
    found = "\n".join(problems(text))
    assert "MARK" not in found
    assert "hunter" not in found


def test_a_secret_that_looks_like_a_number_is_not_repeated() -> None:
    assert "0123456" not in "".join(problems(under("notify", "slack: {webhook_url: 0123456}")))


# --- Files -------------------------------------------------------------------------------------


def test_a_file_is_read(tmp_path) -> None:
    path = tmp_path / "lastgood.yaml"
    path.write_bytes(b"\xef\xbb\xbfservice: a/b\r\nregion: us-east-1\r\n")
    assert load(path).region == "us-east-1"


def test_files_that_cannot_be_read(tmp_path) -> None:
    latin, large = tmp_path / "latin.yaml", tmp_path / "large.yaml"
    latin.write_bytes(b"service: a/b\n# caf\xe9\n")
    large.write_bytes(b"#" * (MAX_BYTES + 1))
    for path, sentence in {
        latin: f"{latin}:2: not UTF-8: save the file in that encoding",
        large: f"{large}: the file is larger than 64 KiB: a policy is short",
        tmp_path: f"{tmp_path}: cannot be read: Is a directory",
        tmp_path / "none": f"{tmp_path}/none: cannot be read: No such file or directory",
        "/dev/zero": "/dev/zero: the file is larger than 64 KiB: a policy is short",
    }.items():
        with pytest.raises(PolicyError) as caught:
            load(path)
        assert str(caught.value) == sentence
