"""Which deployment gets what share of the traffic, by the weights of the listeners' rules."""

from collections.abc import Callable

from sandbox.cloud.ecs.model import Deployment, Service
from sandbox.cloud.load_balancer.rules import Weights

Weigh = Callable[[str, Weights], None]
"""Gives a listener's rule new weights."""


class Shares:
    """Gives deployments their shares, in percent."""

    def __init__(self, weigh: Weigh) -> None:
        self._weigh = weigh

    def give(self, service: Service, deployment: Deployment, percent: float) -> None:
        """Give a deployment its share of the production traffic, and blue the rest."""
        blue = deployment.record.blue
        for known in service.deployments:
            known.production = 0.0
        if blue is not None:
            blue.production = 100.0 - percent
        deployment.production = percent
        service.say(f"(deployment {deployment.id}) serves {percent:g}% of production traffic.")
        self.tell_rules(service)

    def give_test(self, service: Service, deployment: Deployment) -> None:
        """Give a deployment all test traffic, where there is a listener for it."""
        if has_test_rule(service):
            for known in service.deployments:
                known.test = 100.0 if known is deployment else 0.0
            self.tell_rules(service)

    def tell_rules(self, service: Service) -> None:
        """Let the listeners' rules say what the deployments' shares are."""
        for balancer in service.balancers:
            advanced = _advanced(balancer)
            if not advanced:
                continue
            production: dict[str, float] = {
                balancer["targetGroupArn"]: 0.0,
                advanced["alternateTargetGroupArn"]: 0.0,
            }
            test = dict(production)
            for deployment in service.deployments:
                group = deployment.revision.group_of(balancer)
                production[group] += deployment.production or 0.0
                test[group] += deployment.test or 0.0
            self._weigh(advanced["productionListenerRule"], _weights(production))
            if "testListenerRule" in advanced and any(test.values()):
                self._weigh(advanced["testListenerRule"], _weights(test))


def has_test_rule(service: Service) -> bool:
    """Whether a service has a listener for test traffic."""
    return any("testListenerRule" in _advanced(balancer) for balancer in service.balancers)


def _advanced(balancer: dict[str, object]) -> dict[str, str]:
    found = balancer.get("advancedConfiguration")
    return found if isinstance(found, dict) else {}


def _weights(percentages: dict[str, float]) -> Weights:
    """Return whole weights, none above ALB's 999."""
    scale = 1 if all(p == int(p) for p in percentages.values()) else 10
    scale = scale if max(percentages.values()) * scale <= 999 else 1
    return tuple((arn, round(percent * scale)) for arn, percent in percentages.items())
