"""What `doctor` makes of what was read: standings, remedies, and when the whole is good."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from lastgood.contracts import (
    ChannelFacts,
    ChannelQuery,
    Examination,
    Line,
    MetricFindings,
    MetricSource,
    Overview,
    PermissionFacts,
    Standing,
    Tried,
    WatchedTrigger,
)
from lastgood.decisions.examining import channels, lines, measured, needs, permissions, temporal
from lastgood.decisions.examining import service as services
from lastgood.decisions.examining.guarded import of_guard
from lastgood.decisions.examining.lines import broken, fine, unknown, warning
from lastgood.decisions.iam_policies import GRANTS
from lastgood.decisions.targets import Choice
from lastgood.model import EcsDeployment, Hook, Revision, ServiceState
from lastgood.policy import Policy
from lastgood.policy_part import Part
from lastgood.policy_triggers import ErrorRateTrigger, ResponseTimeTrigger
from lastgood.values import SecretName

ACCOUNT = "arn:aws:ecs:eu-west-1:123456789012"
ROLE = "arn:aws:iam::123456789012:role/shop-execution"
WORKER = "arn:aws:sts::123456789012:assumed-role/lastgood-worker/task"
DEFINITION: dict[str, Any] = {
    "executionRoleArn": ROLE,
    "registeredBy": "arn:aws:iam::123456789012:user/ann",
    "containerDefinitions": [
        {"name": "web", "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/shop:1.0"}
    ],
}


def policy(**keys: Any) -> Policy:
    return Policy.model_validate({"service": "shop/web", "region": "eu-west-1", **keys})


def state(**keys: Any) -> ServiceState:
    given = {
        "arn": f"{ACCOUNT}:service/shop/web",
        "status": "ACTIVE",
        "task_definition": f"{ACCOUNT}:task-definition/web:7",
        "desired": 2,
        "running": 2,
        "pending": 0,
        "deployments": (
            EcsDeployment(
                id="d", status="PRIMARY", task_definition="web:7", rollout_state="COMPLETED"
            ),
        ),
    }
    return ServiceState.model_validate({**given, **keys})


def examined(*found: Line) -> list[Examination]:
    return [Examination(subject="shop/web", where="eu-west-1", lines=found)]


@pytest.mark.parametrize(
    ("line", "good"),
    [
        (fine("a", "b", "c"), True),
        (warning("a", "b", "c", "d"), True),
        (broken("a", "b", "c", "d"), False),
        (unknown("a", "b", "c", "d"), False),
        (unknown("a", "b", "c", "d", excused=True), True),
    ],
)
def test_only_what_is_broken_or_could_have_been_known_counts(line: Line, good: bool) -> None:
    assert lines.is_good(examined(fine("a", "b", "c"), line)) is good


def test_the_worst_is_counted_first() -> None:
    found = examined(fine("a", "b", "c"), broken("a", "b", "c", "d"), fine("a", "b", "c"))
    assert list(lines.counted(found).items())[:1] == [(Standing.BROKEN, 1)]
    assert lines.counted(found)[Standing.FINE] == 2


# --- Permissions -------------------------------------------------------------------------------


def test_a_repository_is_where_its_image_says() -> None:
    order = needs.wanted(policy(), state(), DEFINITION).model_copy(
        update={
            "image": "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/team/shop:1.0",
            "service_arn": "arn:aws-cn:ecs:cn-northwest-1:123456789012:service/shop/web",
        }
    )
    wanted = "arn:aws-cn:ecr:cn-north-1:123456789012:repository/team/shop"
    assert needs.resource_of(order, "ecr:DescribeImages") == wanted


def judged(
    tried: Tried, caller: str | None = WORKER, definition: dict[str, Any] = DEFINITION, **keys: Any
) -> Line:
    order = needs.wanted(policy(**keys), state(), definition)
    facts = PermissionFacts(caller=caller, tried=(tried,))
    _, line = permissions.judge(order, facts, definition)
    return line


@pytest.mark.parametrize(
    ("code", "standing"),
    [
        (None, Standing.FINE),
        ("ClientException", Standing.FINE),
        ("AccessDeniedException", Standing.BROKEN),
        ("NotTried", Standing.UNKNOWN),
        ("ThrottlingException", Standing.UNKNOWN),
        ("OutcomeUnknown", Standing.UNKNOWN),
        ("ServerException", Standing.UNKNOWN),
        ("UnsupportedOperation", Standing.UNKNOWN),
    ],
)
def test_what_an_answer_says_of_a_permission(code: str | None, standing: Standing) -> None:
    line = judged(Tried(action="ecs:UpdateService", code=code, text="said"))
    assert line.standing is standing
    assert line.remedy or standing is Standing.FINE


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("ecs:UpdateService", f"{ACCOUNT}:service/shop/web"),
        ("ecs:StopServiceDeployment", f"{ACCOUNT}:service-deployment/shop/web/*"),
        ("ecs:DescribeServiceRevisions", f"{ACCOUNT}:service-revision/shop/web/*"),
        ("ecs:RegisterTaskDefinition", f"{ACCOUNT}:task-definition/web:*"),
        ("ecs:DescribeTaskDefinition", '"*"'),
        ("elasticloadbalancing:DescribeListeners", '"*"'),
        ("ecr:DescribeImages", "arn:aws:ecr:eu-west-1:123456789012:repository/team/shop"),
    ],
)
def test_a_remedy_names_action_resource_and_whom(action: str, resource: str) -> None:
    line = judged(Tried(action=action, code="AccessDeniedException"))
    assert line.remedy is not None
    assert line.remedy.startswith(f"Allow {action} on {resource} to {WORKER}")


def test_a_role_that_cannot_be_simulated_is_unknown_and_excused() -> None:
    line = judged(Tried(action="iam:PassRole", resource=ROLE, code="NotSimulated"))
    assert (line.standing, line.excused) == (Standing.UNKNOWN, True)


@pytest.mark.parametrize(
    ("registrar", "standing"),
    [
        ("arn:aws:sts::123456789012:assumed-role/lastgood-worker/another-task", Standing.FINE),
        ("arn:aws:iam::123456789012:role/teams/lastgood-worker", Standing.FINE),
        ("arn:aws:sts::123456789012:assumed-role/lastgood-worker2/task", Standing.UNKNOWN),
        ("arn:aws:sts::210987654321:assumed-role/lastgood-worker/task", Standing.UNKNOWN),
        ("", Standing.UNKNOWN),
    ],
)
def test_a_role_that_this_worker_has_passed_is_allowed(registrar: str, standing: Standing) -> None:
    tried = Tried(action="iam:PassRole", resource=ROLE, code="NotSimulated")
    definition = DEFINITION | {"registeredBy": registrar}
    assert judged(tried, definition=definition).standing is standing


def test_a_registration_refused_for_its_roles_says_so_of_the_role_alone() -> None:
    order = needs.wanted(policy(), state(), DEFINITION)
    text = f"User is not authorized to perform: iam:PassRole on resource: {ROLE}"
    tried = (
        Tried(action="ecs:RegisterTaskDefinition", code="AccessDeniedException", text=text),
        Tried(action="iam:PassRole", resource=ROLE, code="NotSimulated"),
    )
    _, registers, passes = permissions.judge(order, PermissionFacts(tried=tried), DEFINITION)
    assert registers.standing is Standing.FINE
    assert passes.standing is Standing.BROKEN


@pytest.mark.parametrize("code", ["NoCredentials", "ExpiredToken", "InvalidClientTokenId"])
def test_a_worker_without_credentials_is_said_once(code: str) -> None:
    order = needs.wanted(policy(), state(), DEFINITION)
    stranger = Tried(action="sts:GetCallerIdentity", code=code, text="said")
    tried = tuple(Tried(action=action, code=code) for action in order.actions)
    facts = PermissionFacts(stranger=stranger, tried=tried)
    identity, *others = permissions.judge(order, facts, DEFINITION)
    assert (identity.standing, "task role" in (identity.remedy or "")) == (Standing.BROKEN, True)
    assert {one.standing for one in others} == {Standing.UNKNOWN}


def test_an_identity_that_is_not_told_is_no_matter() -> None:
    order = needs.wanted(policy(), state(), DEFINITION)
    facts = PermissionFacts(stranger=Tried(action="sts:GetCallerIdentity", code="OutcomeUnknown"))
    [identity] = permissions.judge(order, facts, DEFINITION)
    assert (identity.standing, identity.excused) == (Standing.UNKNOWN, True)


def test_a_registration_refused_for_its_tags() -> None:
    text = "User is not authorized to perform: ecs:TagResource on resource: *"
    line = judged(
        Tried(action="ecs:RegisterTaskDefinition", code="AccessDeniedException", text=text)
    )
    assert (line.remedy or "").startswith(f"Allow ecs:TagResource on {ACCOUNT}:task-definition/web")


def test_what_is_needed_follows_policy_and_service() -> None:
    plain = needs.wanted(
        policy(triggers=[{"type": "health-check", "url": "https://shop.example/health"}]),
        state(),
        {"containerDefinitions": [{"name": "web", "image": "docker.io/shop:1.0"}]},
    )
    assert not {one for one in plain.actions if not one.startswith("ecs:")}
    assert "ecs:ContinueServiceDeployment" not in plain.actions
    hook = Hook(stages=("POST_PRODUCTION_TRAFFIC_SHIFT",), pauses=True)
    full = needs.wanted(
        policy(notify={"sns": {"topic_arn": "arn:aws:sns:eu-west-1:123456789012:deploys"}}),
        state(hooks=(hook,)),
        DEFINITION,
    )
    assert {
        *("ecs:ContinueServiceDeployment", "iam:PassRole", "ecr:DescribeImages", "sns:Publish"),
        *("cloudwatch:GetMetricData", "elasticloadbalancing:DescribeListeners"),
    } <= set(full.actions)


def test_what_is_tried_is_what_the_workers_policy_allows() -> None:
    notify = {
        "sns": {"topic_arn": "arn:aws:sns:eu-west-1:123456789012:deploys"},
        "email": {"from": "a@b.example", "to": ["c@d.example"]},
    }
    triggers = [{"type": "error-rate"}, {"type": "alarm", "alarm": "web-errors"}]
    hook = Hook(stages=("POST_PRODUCTION_TRAFFIC_SHIFT",), pauses=True)
    full = policy(notify=notify, triggers=triggers)
    tried = set(needs.wanted(full, state(hooks=(hook,)), DEFINITION).actions)
    needed = [grant for grant in GRANTS["worker"] if grant.needed]
    assert tried == {action for grant in needed for action in grant.actions}


# --- Channels ----------------------------------------------------------------------------------


class PagerChannel(Part):
    """A channel that this version does not know."""

    routing_key: SecretName


class ChatChannel(Part):
    """One with an address of its own."""

    webhook_url: SecretName


class Route(Part):
    """Something with channels in it."""

    severity: str = "critical"
    pager: PagerChannel
    chats: list[ChatChannel] = []


class Notify(Part):
    """As ``notify`` may become."""

    routes: list[Route]


def test_channels_of_any_kind_are_found_wherever_they_are() -> None:
    notify: Any = Notify.model_validate(
        {
            "routes": [
                {
                    "pager": {"routing_key": "env:PAGER_KEY"},
                    "chats": [{"webhook_url": "env:CHAT_URL"}],
                }
            ]
        }
    )
    pager, chat = channels.queries(notify)
    assert pager == ChannelQuery(channel="routes.0.pager", secrets=("PAGER_KEY",))
    assert (chat.channel, chat.address) == ("routes.0.chats.0", "CHAT_URL")


def test_the_channels_that_there_are() -> None:
    notify = {
        "slack": [
            {"webhook_url": "env:SLACK_URL", "title": "env: production"},
            {"token": "env:SLACK_TOKEN", "channel": "C0123456789"},
        ],
        "webhook": {"url": "env:HOOK_URL", "secret": "env:HOOK_SECRET"},
        "pagerduty": {"routing_key": "env:PAGER_KEY"},
        "teams": {"webhook_url": "env:TEAMS_URL"},
        "sns": {"topic_arn": "arn:aws:sns:eu-west-1:123456789012:deploys"},
    }
    found = {one.channel: one for one in channels.queries(policy(notify=notify).notify)}
    assert {name: (one.secrets, one.address) for name, one in found.items()} == {
        "slack.0": (("SLACK_URL",), "SLACK_URL"),
        "slack.1": (("SLACK_TOKEN",), None),
        "webhook": (("HOOK_URL", "HOOK_SECRET"), "HOOK_URL"),
        "pagerduty": (("PAGER_KEY",), None),
        "teams": (("TEAMS_URL",), "TEAMS_URL"),
        "sns": ((), None),
    }
    assert set(found) == {key for key, _ in policy(notify=notify).notify.channels()}


def test_a_mail_server_is_greeted_with_its_account() -> None:
    server = {"host": "mail.example", "username": "env:NAME", "password": "env:WORD"}
    email = {"from": "a@b.example", "to": ["c@d.example"], "via": "smtp", "smtp": server}
    [query] = channels.queries(policy(notify={"email": email}).notify)
    assert query.secrets == ("NAME", "WORD")
    assert query.smtp is not None
    line = channels.judge(query, ChannelFacts(receiver="mail.example"))
    assert "takes user name and password" in line.found
    line = channels.judge(query, ChannelFacts(trouble="smtp: refused"))
    assert "mail.example:587" in (line.remedy or "")


# --- What is measured --------------------------------------------------------------------------


def metric(trigger: Any, **found: Any) -> Line:
    source = MetricSource(kind="metric", namespace="Shop", name="M", dimensions={})
    watched = WatchedTrigger(key="0 metric", trigger=trigger, source=source)
    return measured.of_metric(watched, MetricFindings.model_validate({"datapoints": 60} | found))


def error_rate(unit: str | None, **keys: Any) -> ErrorRateTrigger:
    given = {"metric": {"namespace": "Shop", "name": "M", "unit": unit}} | keys
    return ErrorRateTrigger.model_validate(given)


def response_time(unit: str | None) -> ResponseTimeTrigger:
    given = {"metric": {"namespace": "Shop", "name": "M", "unit": unit}}
    return ResponseTimeTrigger.model_validate(given)


@pytest.mark.parametrize(
    ("trigger", "units", "largest", "standing"),
    [
        (error_rate(None), ("None",), 1.0, Standing.FINE),
        (error_rate(None), (), 1.01, Standing.BROKEN),
        (error_rate(None), ("Percent",), 0.5, Standing.BROKEN),
        (error_rate("percent"), ("Percent",), 40.0, Standing.FINE),
        (error_rate("percent"), ("None",), 40.0, Standing.FINE),
        (response_time(None), ("Milliseconds",), 900.0, Standing.FINE),
        (response_time(None), ("Seconds",), 0.9, Standing.BROKEN),
        (response_time("s"), ("Seconds",), 0.9, Standing.FINE),
        (response_time("s"), ("Milliseconds",), 900.0, Standing.BROKEN),
        (response_time(None), ("Microseconds",), 9e5, Standing.BROKEN),
        (error_rate(None, dry_run=True), ("Percent",), 0.5, Standing.WARNING),
    ],
)
def test_a_unit_that_is_not_the_policys(
    trigger: Any, units: tuple[str, ...], largest: float, standing: Standing
) -> None:
    line = metric(trigger, units=units, largest=largest)
    assert line.standing is standing
    assert line.remedy or standing is Standing.FINE


def test_datapoints_that_are_few_or_gone_or_never_were() -> None:
    assert metric(error_rate(None), datapoints=2).standing is Standing.WARNING
    quiet = metric(error_rate(None), datapoints=0, newest=datetime(2026, 1, 31, tzinfo=UTC))
    assert quiet.standing is Standing.WARNING
    assert "2026-01-31 00:00 UTC" in quiet.found
    never = metric(error_rate(None), datapoints=0)
    assert never.standing is Standing.BROKEN


# --- Service, target, Temporal -----------------------------------------------------------------


def test_a_service_that_shifts_traffic_needs_time_and_a_hook() -> None:
    shifting = state(strategy="BLUE_GREEN")
    found = list(services.of_strategy(policy(), shifting))
    assert [(line.what, line.standing) for line in found] == [
        ("bake time", Standing.WARNING),
        ("PAUSE hook", Standing.WARNING),
    ]
    assert found[0].remedy == "Set bakeTimeInMinutes to the window or more."
    assert found[1].remedy == "See docs/blue-green.md."
    assert list(services.of_strategy(policy(), state())) == []


def test_a_target_whose_image_is_elsewhere_is_unknown_and_excused() -> None:
    choice = Choice(target=Revision(task_definition="web:7"), reason="It runs.")
    images = [services.TargetImage("docker.io/shop:1.0", "not asked")]
    _, image = services.of_target(choice, True, images, "shop/web")
    assert (image.standing, image.excused) == (Standing.UNKNOWN, True)


def overview(**keys: Any) -> Overview:
    given = {
        "service": "shop/web",
        "current": None,
        "queued": (),
        "last_known_good": None,
        "rollbacks_counted": 0,
        "max_rollbacks": 3,
        "cooldown_until": None,
        "results": (),
        "rollbacks": (),
        "actions": (),
    }
    return Overview.model_validate({**given, **keys})


def test_what_a_guard_remembers_matters_to_the_next_release() -> None:
    [none] = of_guard(None, "shop/web")
    [quiet] = of_guard(overview(), "shop/web")
    assert {none.standing, quiet.standing} == {Standing.FINE}
    at = datetime(2026, 1, 31, tzinfo=UTC)
    freeze = {"at": at, "actor": "ann", "reason": "sale"}
    found = of_guard(
        overview(
            mirror_problem="AccessDeniedException",
            frozen=freeze,
            rollbacks_counted=3,
            alerts=("2.1",),
        ),
        "shop/web",
    )
    remedies = {line.what: line.remedy or "" for line in found}
    assert "ecs:TagResource" in remedies.pop("memory")
    assert {what: remedy.split()[1] for what, remedy in remedies.items()} == {
        "freeze": "unfreeze",
        "rollback limit": "reset",
        "alert 2.1": "acknowledge",
    }


def test_workers_that_begin_nothing_are_said() -> None:
    why = "New releases go to build a, and only build b poll. Start such a worker, or that."
    counts = {"lastgood": 1, "lastgood-watch": None}
    begins, watches = temporal.of_queues(counts, why, "default")
    assert (begins.standing, begins.remedy) == (Standing.BROKEN, "Start such a worker, or that.")
    assert watches.standing is Standing.UNKNOWN


def test_search_attributes_that_temporal_does_not_tell() -> None:
    [line] = temporal.of_attributes(None, "default")
    assert (line.standing, line.excused) == (Standing.UNKNOWN, True)
