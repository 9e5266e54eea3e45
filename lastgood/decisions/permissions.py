"""Who needs which permission of AWS, and on what: the one table.

The rule. Each role has what its own calls take, and nothing else. ``tests/house`` reads the calls
from the code and compares. ``*`` stands only where AWS knows no resource to name, or where naming
one would break the call; the statement's Sid ends in ``Unscoped`` then, and its note says why.

| role | who has it | what it does |
|---|---|---|
| worker | the worker | all activities: releases, watches, rolls back, tells, ``lastgood doctor`` |
| setup | a person, now and then | ``policy init``, ``suggest``, ``backtest``, ``alarms``, ``iam`` |
| ci | the CI job | pushes an image; ``lastgood deploy`` itself talks to Temporal alone |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

Role = Literal["ci", "worker", "setup"]
On = Literal[
    "anything",
    "service",
    "namesakes",
    "service-deployment",
    "service-revision",
    "task-definition",
    "own-alarm",
    "drill-alarm",
    "repository",
    "topic",
    "sender",
    "task-role",
    "worker-role",
]
Only = Literal["region", "update", "register", "tag-new", "pass", "send"]
"""Under which condition: see ``iam_policies``."""

NO_RESOURCE = "AWS knows no resource-level permission for these."
NO_METRIC = "AWS knows no resource that would name a metric."
COMPOSITE = "With anything but * AWS does not tell of composite alarms."


class Grant(NamedTuple):
    """One statement of a policy, before it is known for which services."""

    sid: str
    actions: tuple[str, ...]
    on: On
    note: str
    only: Only | None = None
    also: tuple[On, ...] = ()
    """Further resources that AWS looks at."""
    needed: bool = True
    """False: all works without it, but says less."""


WORKER = (
    Grant(
        "ReadService",
        ("ecs:DescribeServices", "ecs:ListServiceDeployments"),
        "service",
        "What runs, and what ECS did with it.",
    ),
    Grant(
        "ReadServiceRevision",
        ("ecs:DescribeServiceRevisions",),
        "service-revision",
        "The digests that ran.",
        also=("service",),
    ),
    Grant(
        "SteerServiceDeployment",
        (
            "ecs:DescribeServiceDeployments",
            "ecs:StopServiceDeployment",
            "ecs:ContinueServiceDeployment",
        ),
        "service-deployment",
        "The quickest way back, and the answers to PAUSE hooks.",
        also=("service",),
    ),
    Grant(
        "DeployAndRollBack",
        ("ecs:UpdateService",),
        "service",
        "Moves the service, only to revisions of its own family, and opens no shell.",
        only="update",
    ),
    Grant(
        "RegisterRevision",
        ("ecs:RegisterTaskDefinition",),
        "task-definition",
        "A copy of what runs, with another image.",
        only="register",
    ),
    Grant(
        "TagNewRevision",
        ("ecs:TagResource",),
        "task-definition",
        "Names the release that registered it.",
        only="tag-new",
    ),
    Grant(
        "PassTaskRoles",
        ("iam:PassRole",),
        "task-role",
        "The roles that the tasks have today, to tasks and to nothing else.",
        only="pass",
    ),
    Grant(
        "RememberInTags",
        ("ecs:TagResource", "ecs:UntagResource"),
        "service",
        "The guard's memory (docs/adr/0013).",
    ),
    Grant(
        "ReadRevisionsUnscoped",
        ("ecs:DescribeTaskDefinition", "ecs:ListTaskDefinitions"),
        "anything",
        NO_RESOURCE,
        only="region",
    ),
    Grant(
        "ReadMetricsUnscoped",
        ("cloudwatch:GetMetricData",),
        "anything",
        NO_METRIC,
        only="region",
    ),
    Grant(
        "ReadAlarmsUnscoped",
        ("cloudwatch:DescribeAlarms", "cloudwatch:DescribeAlarmHistory"),
        "anything",
        COMPOSITE,
        only="region",
    ),
    Grant(
        "SetDrillAlarms",
        ("cloudwatch:SetAlarmState",),
        "drill-alarm",
        "For lastgood drill --alarm: those of drill.alarms.",
        needed=False,
    ),
    Grant(
        "ReadLoadBalancersUnscoped",
        (
            "elasticloadbalancing:DescribeTargetGroups",
            "elasticloadbalancing:DescribeLoadBalancers",
            "elasticloadbalancing:DescribeListeners",
        ),
        "anything",
        NO_RESOURCE,
        only="region",
    ),
    Grant("ReadImages", ("ecr:DescribeImages",), "repository", "Which digest a tag means now."),
    Grant("NotifyBySns", ("sns:Publish",), "topic", "The topics of the policy files."),
    Grant(
        "NotifyByEmail",
        ("ses:SendEmail",),
        "sender",
        "From the policy files' senders to their recipients.",
        only="send",
    ),
    Grant(
        "ExamineTopics",
        ("sns:GetTopicAttributes",),
        "topic",
        "For lastgood doctor: is the topic there?",
        needed=False,
    ),
    Grant(
        "ExamineSenders",
        ("ses:GetEmailIdentity",),
        "sender",
        "For lastgood doctor: is the sender verified?",
        needed=False,
    ),
    Grant(
        "ExamineOwnRole",
        ("iam:SimulatePrincipalPolicy",),
        "worker-role",
        "For lastgood doctor: may the worker pass the task roles?",
        needed=False,
    ),
)

SETUP = (
    Grant(
        "ReadService",
        ("ecs:DescribeServices", "ecs:ListServiceDeployments"),
        "service",
        "policy init, backtest, suggest, alarms, iam.",
    ),
    Grant(
        "FindNamesakes",
        ("ecs:DescribeServices",),
        "namesakes",
        "policy init: whose metrics are they, if two clusters have a service of this name?",
    ),
    Grant(
        "ReadRevisionsUnscoped",
        ("ecs:DescribeTaskDefinition", "ecs:ListClusters"),
        "anything",
        NO_RESOURCE,
        only="region",
    ),
    Grant(
        "ReadLoadBalancersUnscoped",
        (
            "elasticloadbalancing:DescribeTargetGroups",
            "elasticloadbalancing:DescribeLoadBalancers",
            "elasticloadbalancing:DescribeListeners",
        ),
        "anything",
        NO_RESOURCE,
        only="region",
    ),
    Grant(
        "ReadMetricsUnscoped",
        (
            "cloudwatch:ListMetrics",
            "cloudwatch:GetMetricData",
            "cloudwatch:GetMetricStatistics",
        ),
        "anything",
        NO_METRIC,
        only="region",
    ),
    Grant(
        "ReadAlarmsUnscoped",
        ("cloudwatch:DescribeAlarms",),
        "anything",
        COMPOSITE,
        only="region",
    ),
    Grant(
        "KeepOwnAlarms",
        (
            "cloudwatch:PutMetricAlarm",
            "cloudwatch:DeleteAlarms",
            "cloudwatch:TagResource",
            "cloudwatch:ListTagsForResource",
        ),
        "own-alarm",
        "lastgood alarms: only those whose names begin with the service's.",
    ),
)

CI = (
    Grant(
        "PushImages",
        (
            "ecr:BatchCheckLayerAvailability",
            "ecr:InitiateLayerUpload",
            "ecr:UploadLayerPart",
            "ecr:CompleteLayerUpload",
            "ecr:PutImage",
            "ecr:BatchGetImage",
            "ecr:DescribeImages",
        ),
        "repository",
        "docker push, and the digest of what was pushed.",
    ),
    Grant(
        "LogInToRegistryUnscoped",
        ("ecr:GetAuthorizationToken",),
        "anything",
        NO_RESOURCE,
    ),
)

GRANTS: Mapping[Role, tuple[Grant, ...]] = {"ci": CI, "worker": WORKER, "setup": SETUP}


def actions_of(role: Role) -> set[str]:
    """All that a role may do."""
    return {action for grant in GRANTS[role] for action in grant.actions}
