"""Members of a group as tests of decisions need them, made with a word each."""

from lastgood.contracts import GroupState, Member
from lastgood.messages import deployment_id
from lastgood.model import Outcome, ReleaseResult, ServiceRef

A, B, C = (ServiceRef(region="us-east-1", cluster="shop", name=name) for name in "abc")


def result(service: ServiceRef, outcome: Outcome, **keys: object) -> ReleaseResult:
    given: dict[str, object] = {
        "release": f"r1.{service.name}",
        "workflow_id": deployment_id(service),
        "run_id": "run",
        "service": str(service),
        "outcome": outcome,
        "reason": "Because.",
        "from_task_definition": "web:1",
        "to_task_definition": "web:2",
    }
    return ReleaseResult.model_validate(given | keys)


def member(service: ServiceRef, said: str = "waits") -> Member:
    """``waits``, ``under way``, ``paused``, ``leaving``, or its outcome; ``back: `` and another."""
    one = Member(service=service, release=f"r1.{service.name}", asked=said != "waits")
    if said in ("waits", "under way"):
        return one
    if said == "paused":
        return one.model_copy(update={"held": result(service, Outcome.HELD)})
    if said == "leaving":
        return one.model_copy(update={"leaving": True})
    first, _, back = said.partition("; back: ")
    update = {"result": result(service, Outcome(first))}
    if back:
        update["back"] = result(service, Outcome(back), release="rollback-1")
    return one.model_copy(update=update)


def state(*said: str, wrong: str | None = None, how: str = "in-order") -> GroupState:
    members = tuple(member(one, word) for one, word in zip((A, B, C), said, strict=False))
    return GroupState.model_validate(
        {"group": "shop", "order": how, "members": members, "wrong": wrong and f"r1.{wrong}"}
    )
