"""What moto keeps: clusters, task definitions, load balancers, mails, messages."""

from collections.abc import Collection
from typing import Any

from moto.ecs.models import ecs_backends
from moto.elbv2.models import FakeAction, elbv2_backends
from moto.ses.models import ses_backends
from moto.sns.models import sns_backends

from sandbox.cloud.identifiers import Account
from sandbox.cloud.load_balancer.front import GroupView, ListenerView
from sandbox.cloud.load_balancer.rules import RuleView, Weights
from sandbox.cloud.load_balancer.targets import HealthCheck

Shape = dict[str, Any]


class Moto:
    """What moto keeps for the scheduler and the load balancers, in neutral terms."""

    def __init__(self, account: Account) -> None:
        self._account = account

    @property
    def _ecs(self) -> Any:
        return ecs_backends[self._account.id][self._account.region]

    @property
    def _elb(self) -> Any:
        return elbv2_backends[self._account.id][self._account.region]

    def has_cluster(self, name: str) -> bool:
        """Whether there is an ACTIVE cluster of that name."""
        cluster = self._ecs.clusters.get(name)
        return cluster is not None and cluster.status == "ACTIVE"

    def task_definition(self, reference: str) -> Shape | None:
        """Return a task definition by ARN, `family:revision` or family (its newest ACTIVE)."""
        family, _, revision = reference.rsplit("/", 1)[-1].partition(":")
        revisions = self._ecs.task_definitions.get(family, {})
        if not revision:
            active = [n for n, known in revisions.items() if known.status == "ACTIVE"]
            revision = str(max(active, default=0))
        found = revisions.get(int(revision)) if revision.isdigit() else None
        return (
            None
            if found is None
            else {
                "taskDefinitionArn": found.arn,
                "status": found.status,
                "containerDefinitions": found.container_definitions,
                "cpu": found.cpu,
                "memory": found.memory,
            }
        )

    def balancers_of(self, target_group: str) -> list[str] | None:
        """Return the load balancers that use a target group; None when it does not exist."""
        group = self._elb.target_groups.get(target_group)
        if group is None:
            return None
        return [view.balancer for view in self.listeners() if target_group in view.groups]

    def has_rule(self, arn: str) -> bool:
        """Whether there is a listener's rule of that ARN, a default rule for one."""
        return self._rule(arn) is not None

    def _rule(self, arn: str) -> Any:
        for balancer in self._elb.load_balancers.values():
            for listener in balancer.listeners.values():
                for rule in listener.rules.values():
                    if rule.arn == arn:
                        return rule
        return None

    def weigh(self, arn: str, weights: Weights) -> None:
        """Let a listener's rule forward by these weights, as ECS does; a rule that is gone stays.

        A default rule is its listener's default action too.
        """
        rule = self._rule(arn)
        if rule is None:
            return
        groups = [{"TargetGroupArn": group, "Weight": weight} for group, weight in weights]
        rule.actions = [FakeAction({"Type": "forward", "ForwardConfig": {"TargetGroups": groups}})]
        for balancer in self._elb.load_balancers.values():
            listener = balancer.listeners.get(rule.listener_arn)
            if listener is not None and rule.is_default:
                listener.default_actions = rule.actions

    def listeners(self, quiet: Collection[str] = ()) -> list[ListenerView]:
        """Return all listeners; one that has only rules of `quiet` to forward by is quiet."""
        views = []
        for balancer in self._elb.load_balancers.values():
            idle = balancer.attrs.get("idle_timeout.timeout_seconds", 60)
            for listener in balancer.listeners.values():
                rules = tuple(_rule_views(listener))
                forwarding = {rule.arn for rule in rules if rule.groups}
                views.append(
                    ListenerView(
                        arn=listener.arn,
                        balancer=balancer.arn,
                        name=balancer.name,
                        port=int(listener.port),
                        rules=rules,
                        idle_timeout=float(idle),
                        quiet=bool(forwarding) and forwarding <= set(quiet),
                    )
                )
        return views

    def groups(self) -> list[GroupView]:
        """Return all target groups."""
        used = {arn for view in self.listeners() for arn in view.groups}
        return [
            GroupView(group.arn, _health_check(group), group.arn in used)
            for group in self._elb.target_groups.values()
        ]

    def set_ports(self, ports: dict[str, int]) -> None:
        """Let DescribeListeners tell the ports that listeners really have."""
        for balancer in self._elb.load_balancers.values():
            balancer.dns_name = "127.0.0.1"
            balancer.state = "active"
            for listener in balancer.listeners.values():
                listener.port = ports.get(listener.arn, listener.port)

    def mails(self) -> list[Shape]:
        """Return the mails that SES took, oldest first."""
        backend = ses_backends[self._account.id][self._account.region]
        names = ("id", "source", "subject", "body", "destinations", "raw_data", "template")
        return [
            {name: getattr(mail, name) for name in names if hasattr(mail, name)}
            for mail in backend.sent_messages
        ]

    def messages(self) -> list[Shape]:
        """Return the messages that SNS took, with their topics."""
        backend = sns_backends[self._account.id][self._account.region]
        return [
            {"topic": arn, "id": identity, "message": message, "subject": subject}
            for arn, topic in backend.topics.items()
            for identity, message, subject, _, _ in topic.sent_notifications
        ]


def _rule_views(listener: Any) -> list[RuleView]:
    rules = sorted(
        listener.rules.values(),
        key=lambda r: (r.is_default, 0 if r.is_default else int(r.priority)),
    )
    return [RuleView(r.arn, tuple(r.conditions), tuple(_forwards(r.actions))) for r in rules]


def _forwards(actions: list[Any]) -> list[tuple[str, int]]:
    for action in actions:
        if action.type == "forward":
            config = action.data.get("ForwardConfig") or {}
            groups = [
                (group["TargetGroupArn"], int(group.get("Weight", 1)))
                for group in config.get("TargetGroups") or []
            ]
            return groups or [(action.data["TargetGroupArn"], 1)]
    return []


def _health_check(group: Any) -> HealthCheck:
    matcher = getattr(group, "matcher", None) or {}
    return HealthCheck(
        path=group.health_check_path or "/",
        codes=str(matcher.get("HttpCode") or "200"),
        healthy_after=int(group.healthy_threshold_count or 5),
        unhealthy_after=int(group.unhealthy_threshold_count or 2),
        timeout=min(2.0, float(group.health_check_timeout_seconds or 2)),
    )
