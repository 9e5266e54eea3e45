"""What can happen to a release, as data: an image's tag, and what must come of it.

`expected` is the outcome of a release of that image by Lastgood's defaults, `trigger` the one
that ends it; both use the words of the project's design, and neither imports it.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scenario:
    """One release: `image("shop")` is what to deploy."""

    name: str
    tag: str
    story: str
    expected: str
    trigger: str | None = None

    def image(self, repository: str) -> str:
        """Return the image to deploy."""
        return f"{repository}:{self.tag}"


GOOD = Scenario("good release", "2.0", "Everything is fine.", "healthy")
BAD = Scenario(
    "bad release",
    "2.0-errors-0.4",
    "ECS is content, and 40 % of the requests fail.",
    "rolled_back",
    "error-rate",
)
SLOW = Scenario(
    "slow release", "2.0-slow-3s", "Every request takes 3 s longer.", "rolled_back", "response-time"
)
SLOW_BURN = Scenario(
    "slow burn",
    "2.0-degrades-5s",
    "It starts well; 5 s later everything answers 503, its health check too.",
    "rolled_back",
    "health-check",
)
SICK = Scenario(
    "sick release",
    "2.0-sick-5s",
    "It serves well, but 5 s after its start its health check fails.",
    "rolled_back",
    "health-check",
)
NEVER_HEALTHY = Scenario(
    "never healthy",
    "2.0-unhealthy",
    "Its tasks run, but never pass their health check: the rollout never completes.",
    "rolled_back",
)
CRASH = Scenario(
    "crash at start", "2.0-crash", "Its tasks exit at once; the old version serves.", "rolled_back"
)
DIES = Scenario("crash loop", "2.0-dies-5s", "Each task runs for 5 s, then exits.", "rolled_back")

ALL = (GOOD, BAD, SLOW, SLOW_BURN, SICK, NEVER_HEALTHY, CRASH, DIES)
