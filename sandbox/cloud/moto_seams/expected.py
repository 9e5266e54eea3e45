"""What we rely on in moto."""

from collections.abc import Iterator

from moto.ecr.models import ECRBackend
from moto.ecr.responses import ECRResponse
from moto.ecs.models import EC2ContainerServiceBackend, ecs_backends
from moto.ecs.responses import EC2ContainerServiceResponse
from moto.elbv2.models import ELBv2Backend, FakeAction, FakeListener, FakeRule, FakeTargetGroup
from moto.elbv2.responses import ELBV2Response
from moto.ses.models import EmailIdentity, SESBackend
from moto.sns.models import SNSBackend

VERSION = "5.2.5"
_METHODS: dict[type, str] = {
    EC2ContainerServiceResponse: (
        "create_service update_service delete_service describe_services list_services"
        " list_tasks describe_tasks stop_task tag_resource untag_resource"
        " list_tags_for_resource _get_params"
    ),
    EC2ContainerServiceBackend: "register_task_definition create_cluster",
    ELBV2Response: (
        "create_listener modify_listener delete_listener create_load_balancer"
        " delete_load_balancer create_target_group modify_target_group describe_target_health"
        " create_rule modify_rule delete_rule set_rule_priorities"
    ),
    ELBv2Backend: "create_load_balancer create_listener create_target_group",
    FakeTargetGroup: "register health_for",
    ECRResponse: "describe_images _get_param",
    SESBackend: "send_email send_raw_email",
    SNSBackend: "publish create_topic",
}
_ATTRIBUTES = {
    "cluster": "status",
    "task definition": "arn container_definitions status cpu memory",
    "ECS": "clusters task_definitions",
    "ECR": "repositories",
    "ELB": "load_balancers target_groups",
    "SES": "sent_messages",
    "email identity": "verified_for_sending_status",
    "SNS": "topics",
    "topic": "sent_notifications",
    "forward action": "type data",
    "listener": "rules",
    "rule": "arn conditions actions priority is_default listener_arn",
}


def missing() -> list[str]:
    """Return what moto no longer has of the things we rely on."""
    gone = [
        f"{owner.__name__}.{name}"
        for owner, names in _METHODS.items()
        for name in names.split()
        if not callable(getattr(owner, name, None))
    ]
    for kind, thing in _examples():
        gone += [f"{kind}.{n}" for n in _ATTRIBUTES[kind].split() if not hasattr(thing, n)]
    return gone


def _examples() -> Iterator[tuple[str, object]]:
    account, region = "999999999999", "us-east-1"
    ecs = ecs_backends[account][region]
    yield "ECS", ecs
    yield "cluster", ecs.create_cluster("c", [], [], {}, [], [])
    container = {"name": "app", "image": "app:1", "memory": 1}
    yield "task definition", ecs.register_task_definition("f", [container])
    yield "ECR", ECRBackend(region, account)
    yield "ELB", ELBv2Backend(region, account)
    yield "forward action", FakeAction({"Type": "forward", "TargetGroupArn": "arn"})
    yield "listener", FakeListener  # abstract, as moto declares it: its class is looked at
    yield "rule", FakeRule("arn", [], "default", [], is_default=True)
    yield "SES", SESBackend(region, account)
    yield "email identity", EmailIdentity("a@b.test", None, None, None)
    sns = SNSBackend(region, account)
    yield "SNS", sns
    yield "topic", sns.create_topic("t")
