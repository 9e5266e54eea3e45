"""ARNs and ids in the forms that ECS and ELB use."""

import random
import secrets
import uuid
from dataclasses import dataclass


@dataclass(frozen=True)
class Account:
    """Whose resources these are, and where."""

    id: str
    region: str

    def ecs_arn(self, kind: str, *path: str) -> str:
        """Return an ECS ARN such as `…:service/CLUSTER/NAME`."""
        return f"arn:aws:ecs:{self.region}:{self.id}:{kind}/{'/'.join(path)}"


def deployment_id() -> str:
    """Return an id as in `ecs-svc/0123456789012345678`: 19 digits."""
    return f"ecs-svc/{random.randrange(10**18, 10**19)}"


def task_id() -> str:
    """Return 32 hexadecimal digits."""
    return secrets.token_hex(16)


def deployment_suffix() -> str:
    """Return the last part of a service deployment's or revision's ARN."""
    return secrets.token_urlsafe(16)[:21].replace("_", "x").replace("-", "y")


def event_id() -> str:
    """Return a UUID, as service events have."""
    return str(uuid.uuid4())


def name_of(arn_or_name: str) -> str:
    """Return the last part of an ARN, or the name itself."""
    return arn_or_name.rsplit("/", 1)[-1]


def load_balancer_dimension(arn: str) -> str:
    """Return `app/NAME/ID` of a load balancer's ARN."""
    return arn.split(":loadbalancer/", 1)[-1]


def target_group_dimension(arn: str) -> str:
    """Return `targetgroup/NAME/ID` of a target group's ARN."""
    return arn.rsplit(":", 1)[-1]
