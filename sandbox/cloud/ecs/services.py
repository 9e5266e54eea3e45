"""CreateService, UpdateService, DeleteService, DescribeServices, ListServices, and tags."""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sandbox.cloud.ecs import tags
from sandbox.cloud.ecs.configuration import merge
from sandbox.cloud.ecs.describe import describe_service
from sandbox.cloud.ecs.hooks import give_up
from sandbox.cloud.ecs.model import Service
from sandbox.cloud.ecs.registry import Registry, Shape
from sandbox.cloud.ecs.shifts import Shifts
from sandbox.cloud.errors import (
    invalid_parameter,
    service_not_active,
    service_not_found,
)
from sandbox.cloud.identifiers import name_of

Effect = Callable[[str], None]
"""Notes in the list of requests what a call brought about."""

_REDEPLOYS = (
    "capacityProviderStrategy",
    "loadBalancers",
    "networkConfiguration",
    "platformVersion",
    "serviceConnectConfiguration",
    "serviceRegistries",
    "volumeConfigurations",
)
_QUIET = (
    "availabilityZoneRebalancing",
    "enableECSManagedTags",
    "enableExecuteCommand",
    "healthCheckGracePeriodSeconds",
    "placementConstraints",
    "placementStrategy",
    "propagateTags",
)
_KEPT = (*_REDEPLOYS, *_QUIET, "launchType", "role")


class Services:
    """The operations on services, with AWS's parameters in and AWS's shapes out."""

    def __init__(self, registry: Registry, effect: Effect, stale: Callable[[], float]) -> None:
        self._registry = registry
        self._effect = effect
        self._stale = stale

    def create(self, p: Shape) -> Shape:
        """CreateService."""
        registry = self._registry
        cluster = registry.cluster(p.get("cluster"))
        known = registry.find(cluster, p["serviceName"])
        if known is not None and known.status == "ACTIVE":
            raise invalid_parameter("Creation of service was not idempotent.")
        if known is not None and known.status == "DRAINING":
            raise invalid_parameter("Unable to Start a service that is still Draining.")
        if not p.get("taskDefinition"):
            raise invalid_parameter("TaskDefinition cannot be blank")
        definition = registry.task_definition(p["taskDefinition"])
        self._check_containers(definition, p.get("loadBalancers") or [])
        service = Service(
            account=registry.account,
            cluster=cluster,
            name=p["serviceName"],
            desired=int(p.get("desiredCount") or 0),
            settings=self._settings(p),
            created=time.time(),
            tags=tags.read(p.get("tags") or [], {}),
        )
        registry.services[cluster, service.name] = service
        self._effect(f"deployment {registry.deploy(service, definition).id}")
        return {"service": {**describe_service(service), "tags": _tags(service)}}

    def _settings(self, p: Shape) -> Shape:
        configuration = merge({}, p.get("deploymentConfiguration") or {})
        self._registry.check_balancers(configuration, p.get("loadBalancers") or [])
        settings = {name: p[name] for name in _KEPT if p.get(name) is not None}
        settings.setdefault("loadBalancers", [])
        settings.setdefault("serviceRegistries", [])
        settings.setdefault("launchType", "EC2")
        settings.setdefault("propagateTags", "NONE")
        settings["roleArn"] = settings.pop("role", None)
        settings["schedulingStrategy"] = p.get("schedulingStrategy") or "REPLICA"
        settings["deploymentController"] = p.get("deploymentController") or {"type": "ECS"}
        controller = settings["deploymentController"]["type"]
        if configuration["strategy"] != "ROLLING" and controller != "ECS":
            raise invalid_parameter(f"A {controller} deployment controller has no strategies.")
        settings["deploymentConfiguration"] = configuration
        return settings

    @staticmethod
    def _check_containers(definition: Shape, balancers: list[Shape]) -> None:
        names = {container["name"] for container in definition["containerDefinitions"]}
        for balancer in balancers:
            if balancer.get("containerName") not in names:
                raise invalid_parameter(
                    f"The container {balancer.get('containerName')} does not exist in the task"
                    " definition."
                )

    def update(self, p: Shape) -> Shape:
        """UpdateService."""
        registry = self._registry
        service = registry.get(p.get("cluster"), p["service"])
        if service.status != "ACTIVE":
            raise service_not_active()
        current = service.primary.revision.task_definition
        definition = (
            registry.task_definition(p["taskDefinition"]) if p.get("taskDefinition") else None
        )
        if definition is not None:
            balancers = p.get("loadBalancers") or service.balancers
            self._check_containers(definition, balancers)
        configuration = merge(service.configuration, p.get("deploymentConfiguration") or {})
        if p.get("loadBalancers") or p.get("deploymentConfiguration"):
            registry.check_balancers(configuration, p.get("loadBalancers") or service.balancers)
        controller = service.settings["deploymentController"]["type"]
        if controller != "ECS" and (definition is not None or p.get("forceNewDeployment")):
            raise invalid_parameter(
                f"Unable to update task definition on services with a {controller} deployment"
                " controller."
            )
        changed = self._apply(service, p, configuration)
        redeploys = changed or bool(p.get("forceNewDeployment"))
        if definition is not None and definition["taskDefinitionArn"] != current:
            redeploys = True
        if redeploys:
            definition = definition or registry.task_definition(current)
            self._effect(f"deployment {registry.deploy(service, definition).id}")
        return {"service": describe_service(service)}

    def _apply(self, service: Service, p: Shape, configuration: Shape) -> bool:
        """Take over new settings; return whether they need a new deployment."""
        changed = False
        for name in (*_REDEPLOYS, *_QUIET):
            value = p.get(name)
            if value is not None and value != service.settings.get(name):
                service.settings[name] = value
                changed = changed or name in _REDEPLOYS
        service.settings["deploymentConfiguration"] = configuration
        if p.get("desiredCount") is not None and int(p["desiredCount"]) != service.desired:
            service.desired = int(p["desiredCount"])
            service.primary.desired = service.desired
            if service.shifting:
                Shifts.assign(service)
            self._effect(f"desiredCount {service.desired}")
        return changed

    def delete(self, p: Shape) -> Shape:
        """DeleteService."""
        service = self._registry.get(p.get("cluster"), p["service"])
        if service.status == "INACTIVE":
            raise service_not_found()
        if service.desired > 0 and not p.get("force"):
            raise invalid_parameter("The service cannot be stopped while it is scaled above 0.")
        service.status, service.desired = "DRAINING", 0
        for deployment in service.deployments:
            deployment.desired = 0
            if not deployment.record.over:
                give_up(deployment.record)
                deployment.record.set("STOPPED", time.time(), "The service was deleted.")
        self._effect("deleted")
        return {"service": describe_service(service)}

    def describe(self, p: Shape) -> Shape:
        """DescribeServices."""
        cluster = self._registry.cluster(p.get("cluster"))
        found: list[Shape] = []
        failures: list[Shape] = []
        for reference in p.get("services") or []:
            service = self._registry.find(cluster, reference)
            if service is None:
                arn = self._registry.account.ecs_arn("service", cluster, name_of(reference))
                failures.append({"arn": arn, "reason": "MISSING"})
                continue
            shape = self._state(service)
            if "TAGS" in (p.get("include") or []):
                shape = {**shape, "tags": _tags(service)}
            found.append(shape)
        return {"services": found, "failures": failures}

    def _state(self, service: Service) -> Shape:
        """Return how a service is, or was when answers are to be stale."""
        age = self._stale()
        if age > 0:
            past = [shape for at, shape in service.snapshots if at <= time.time() - age]
            if past:
                return past[-1]
            if service.snapshots:
                return service.snapshots[0][1]
        return describe_service(service)

    def list(self, p: Shape) -> Shape:
        """ListServices."""
        cluster = self._registry.cluster(p.get("cluster"))
        arns = [
            service.arn
            for service in self._registry.all()
            if service.cluster == cluster and service.status != "INACTIVE"
        ]
        return page(arns, "serviceArns", p, limit=10)

    def tagged(self, arn: str) -> Service:
        """Return the service that a tagging call is about."""
        parts = arn.split(":service/", 1)[-1].split("/")
        service = self._registry.find(parts[0], parts[-1]) if len(parts) == 2 else None
        if service is None:
            raise service_not_found()
        if service.status != "ACTIVE":
            raise service_not_active()
        return service

    def tag(self, arn: str, given: Iterable[Shape]) -> None:
        """TagResource."""
        service = self.tagged(arn)
        service.tags = tags.read(given, service.tags)

    def untag(self, arn: str, keys: Sequence[str]) -> None:
        """UntagResource."""
        service = self.tagged(arn)
        for key in keys:
            service.tags.pop(key, None)

    def tags(self, arn: str) -> Shape:
        """ListTagsForResource."""
        return {"tags": _tags(self.tagged(arn))}


def page(items: list[Any], key: str, p: Shape, *, limit: int) -> Shape:
    """Return one page of items and the token of the next."""
    start = int(p.get("nextToken") or 0)
    size = int(p.get("maxResults") or limit)
    answer: Shape = {key: items[start : start + size]}
    if start + size < len(items):
        answer["nextToken"] = str(start + size)
    return answer


def _tags(service: Service) -> list[Shape]:
    return [{"key": key, "value": value} for key, value in service.tags.items()]
