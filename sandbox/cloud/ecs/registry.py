"""All services of the account, and the checks that every ECS operation shares."""

import time
from typing import Any, Protocol

from sandbox.cloud.ecs.configuration import check_balancers
from sandbox.cloud.ecs.model import Deployment, Service, Task
from sandbox.cloud.ecs.rollout import AlarmStates, begin
from sandbox.cloud.ecs.service_deployment import Revision, ServiceDeployment
from sandbox.cloud.ecs.shifts import Shifts
from sandbox.cloud.errors import (
    client_error,
    cluster_not_found,
    invalid_parameter,
    service_not_found,
)
from sandbox.cloud.identifiers import Account, name_of
from sandbox.cloud.images import Digests

Shape = dict[str, Any]


class Catalogue(Protocol):
    """What moto keeps for us: clusters, task definitions, load balancers."""

    def has_cluster(self, name: str) -> bool:
        """Whether there is an ACTIVE cluster of that name."""

    def task_definition(self, reference: str) -> Shape | None:
        """Return a task definition by ARN, `family:revision` or family (its newest ACTIVE)."""

    def balancers_of(self, target_group: str) -> list[str] | None:
        """Return the load balancers that use a target group; None when it does not exist."""

    def has_rule(self, arn: str) -> bool:
        """Whether there is a listener's rule of that ARN, a default rule for one."""


class Registry:
    """Services by cluster and name; called under the cloud's lock."""

    def __init__(
        self,
        account: Account,
        catalogue: Catalogue,
        digests: Digests,
        alarm_states: AlarmStates,
        shifts: Shifts,
    ) -> None:
        self.account = account
        self.catalogue = catalogue
        self.services: dict[tuple[str, str], Service] = {}
        self._digests = digests
        self._alarm_states = alarm_states
        self._shifts = shifts

    def all(self) -> list[Service]:
        """Return every service, deleted ones too."""
        return list(self.services.values())

    def cluster(self, reference: str | None) -> str:
        """Return the name of a cluster that exists."""
        name = name_of(reference or "default")
        if not self.catalogue.has_cluster(name):
            raise cluster_not_found()
        return name

    def find(self, cluster: str, reference: str) -> Service | None:
        """Return a service by name or ARN."""
        return self.services.get((cluster, name_of(reference)))

    def get(self, cluster: str | None, reference: str) -> Service:
        """Return a service, or refuse as ECS does."""
        service = self.find(self.cluster(cluster), reference)
        if service is None:
            raise service_not_found()
        return service

    def task_definition(self, reference: str) -> Shape:
        """Return a task definition that a service may use."""
        definition = self.catalogue.task_definition(reference)
        if definition is None:
            raise client_error("TaskDefinition not found.")
        if definition["status"] != "ACTIVE":
            raise client_error("TaskDefinition is inactive")
        return definition

    def check_balancers(self, configuration: Shape, balancers: list[Shape]) -> None:
        """Refuse target groups that do not exist, that no load balancer uses, and the like."""
        for balancer in balancers:
            arn = balancer.get("targetGroupArn")
            if arn is None:
                raise invalid_parameter("The sandbox has no Classic Load Balancers.")
            users = self.catalogue.balancers_of(arn)
            if users is None:
                raise invalid_parameter(f"Unable to assume role or target group not found: {arn}.")
            if not users:
                raise invalid_parameter(
                    f"The target group with targetGroupArn {arn} does not have an associated"
                    " load balancer."
                )
        check_balancers(
            configuration,
            balancers,
            has_group=lambda arn: self.catalogue.balancers_of(arn) is not None,
            has_rule=self.catalogue.has_rule,
        )

    def deploy(self, service: Service, definition: Shape) -> Deployment:
        """Begin a new deployment of a service."""
        now = time.time()
        revision = Revision(
            arn=service.new_arn("service-revision"),
            task_definition=definition["taskDefinitionArn"],
            images=[
                {
                    "containerName": container["name"],
                    "image": container["image"],
                    "imageDigest": self._digests.digest_of(container["image"]),
                }
                for container in definition["containerDefinitions"]
            ],
            created=now,
        )
        record = ServiceDeployment(
            arn=service.new_arn("service-deployment"),
            source=[deployment.revision for deployment in service.deployments],
            target=revision,
            created=now,
            updated=now,
            configuration=dict(service.configuration),
        )
        deployment = Deployment(revision=revision, record=record, created=now, updated=now)
        service.revisions.append(revision)
        service.settings["taskDefinition"] = definition["taskDefinitionArn"]
        if service.deployments and any(b.get("advancedConfiguration") for b in service.balancers):
            revision.alternate = service.primary.revision.alternate
        begin(service, deployment, now, alarm_states=self._alarm_states)
        if record.shifts:
            self._shifts.begin(service, deployment, now)
        else:
            self._shifts.hold_at_start(record, now)
        return deployment

    def test_rules(self) -> set[str]:
        """Return the ARNs of all listener rules that are for test traffic."""
        advanced = [b.get("advancedConfiguration") or {} for s in self.all() for b in s.balancers]
        return {str(a["testListenerRule"]) for a in advanced if a.get("testListenerRule")}

    def find_task(self, reference: str) -> tuple[Service, Task] | None:
        """Return a task, running or stopped, by id or ARN."""
        for service in self.services.values():
            for task in [*service.tasks, *service.ended]:
                if name_of(task.arn) == name_of(reference):
                    return service, task
        return None

    def find_record(self, arn: str) -> tuple[Service, ServiceDeployment] | None:
        """Return a service deployment by its ARN."""
        for service in self.services.values():
            for record in service.records:
                if record.arn == arn:
                    return service, record
        return None
