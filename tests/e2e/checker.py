"""The invariants, judged after every scene against what the sandbox says of itself.

The names I1 to I12 are those of the design. I10 (replay) has tests of its own, and I12 (nothing
left behind) is asked once, at the end of the session. What Lastgood says is only ever compared.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from email.message import Message
from typing import Any

from tests.e2e import breaches, services
from tests.e2e.commands import Json, Run
from tests.e2e.receivers import SECRETS as SECRETS_OF_RECEIVERS
from tests.e2e.scene import Scene, instant

SECRETS = (*SECRETS_OF_RECEIVERS, *services.SECRETS)
EXIT_CODES = {
    "healthy": 0,
    "rolled_back": 10,
    "rolled_back_by_ecs": 11,
    "rollback_failed": 12,
    "held": 13,
    "superseded": 14,
    "refused": 15,
    "cancelled": 16,
}
MOST_TRIES = 6
MOST_EVENTS = 4096
LONGEST_SILENCE = 8
"""Seconds without any answer that are the machine's, not the service's."""


def check(scene: Scene) -> None:
    """Raise if an invariant does not hold for this scene."""
    if not scene.begun or not scene.sandboxed:
        _no_secret_in(_said(scene.runs))
        return
    overview = scene.query("service", "overview")
    if overview is None:  # no release was ever accepted
        assert len(scene.updates()) == len(scene.changed_by_hand), "changed without a release"
        _no_secret_in(_said(scene.runs))
        return
    results = [*scene.forgotten, *reversed(overview["results"])]
    _one_outcome_each(scene, results)
    _effects_are_decisions(scene, overview, results)
    _limits_kept(scene, overview)
    _no_breach_no_rollback(scene, results)
    breaches.check(scene, overview, results)
    _everybody_told(scene, results)
    _actions_recorded(scene, overview)
    _histories(scene)
    _no_secret_in(_said(scene.runs))
    _no_secret_in(_received(scene))
    log = scene.world.log.read_bytes()
    _no_secret_in([("the worker's log", log)])
    assert b"invalid command" not in log, "Temporal refused what a workflow answered"
    if scene.served_throughout:
        _served(scene)


def _one_outcome_each(scene: Scene, results: list[Json]) -> None:
    """I4: each release has one outcome, and every caller got that one."""
    outcomes = {one["release"]: one["outcome"] for one in results}
    assert len(outcomes) == len(results), f"more than one outcome: {results}"
    for run in scene.runs:
        if run.arguments[0] != "deploy" or not run.out.startswith("{"):
            continue
        said = run.json
        if not said.get("run_id"):  # never accepted
            continue
        assert run.code == EXIT_CODES[said["outcome"]], run
        if said["outcome"] != "held":  # it may have gone on
            assert outcomes.get(said["release"]) == said["outcome"], (outcomes, run)


def _decisions(
    results: list[Json], current: Json | None, seen: list[str]
) -> list[tuple[float, str]]:
    """When which task definition was decided on, as the results tell it.

    A rollback during which somebody else took over was begun only if ECS has seen it.
    """
    made: list[tuple[float, str]] = []
    for one in [*results, *([current] if current else [])]:
        operators = one["workflow_id"].startswith("rollback/")
        untouched = ("refused", "cancelled")
        if not operators and one["to_task_definition"] and one["outcome"] not in untouched:
            made.append((instant(one["started_at"]), one["to_task_definition"]))
        back = one["rollback"]
        begun = one["outcome"] != "superseded" or (back and back["to"] in seen)
        if back and begun and one["outcome"] != "rolled_back_by_ecs":
            made.append((instant(back["started_at"]), back["to"]))
    return sorted(made)


def _effects_are_decisions(scene: Scene, overview: Json, results: list[Json]) -> None:
    """I1, I2, I4: ECS was moved once for each decision, in their order, and is where they say."""
    current = scene.query("release", "progress") if overview["current"] else None
    held = current["result"] if current else None
    ours = _seen_by_ecs(scene)
    for arn in scene.changed_by_hand:  # once; what comes later is a release that went back to it
        ours.remove(arn)
    for arn in scene.passed_through:
        del ours[-1 - ours[::-1].index(arn)]
    decided = [arn for _, arn in _decisions(results, held, ours)]
    assert ours == decided, f"ECS was told {ours}, decided was {decided}"
    truth = scene.truth()
    last = _seen_by_ecs(scene)[-1:] or [scene.shop.task_definition]
    by_ecs = results and results[-1]["outcome"] == "rolled_back_by_ecs"
    expected = results[-1]["rollback"]["to"] if by_ecs else last[0]
    assert truth["taskDefinition"] == expected, (truth["taskDefinition"], expected)


def _seen_by_ecs(scene: Scene) -> list[str]:
    """The task definitions that calls moved the service to, from ECS's own record."""
    ecs, shop = scene.world.cloud.client("ecs"), scene.shop
    order: list[tuple[float, str]] = []
    asked = 0
    listed = ecs.list_service_deployments(cluster=shop.cluster, service=shop.service)
    arns = [one["serviceDeploymentArn"] for one in listed["serviceDeployments"]]
    described = ecs.describe_service_deployments(serviceDeploymentArns=arns)
    found = sorted(described["serviceDeployments"], key=lambda one: one["createdAt"])

    def task_definition(revision: str) -> str:
        answer = ecs.describe_service_revisions(serviceRevisionArns=[revision])
        return str(answer["serviceRevisions"][0]["taskDefinition"])

    for one in found[1:]:  # the first came with the service
        revision = one["targetServiceRevision"]["arn"]
        order.append((one["createdAt"].timestamp(), task_definition(revision)))
        back = one.get("rollback", {})
        if not back.get("reason", "").endswith("ServiceDeployment call."):
            continue  # ECS went back by itself, if at all
        asked += 1
        if one["status"] != "ROLLBACK_FAILED":  # else another call had to do it
            moved = (back["startedAt"].timestamp(), task_definition(back["serviceRevisionArn"]))
            order.append(moved)
    changes, known = len(scene.updates()), len(found) - 1 + asked
    assert changes == known, f"{changes} calls had an effect, ECS knows of {known}"
    return [arn for _, arn in sorted(order)]


def _limits_kept(scene: Scene, overview: Json) -> None:
    """I3: automatic rollbacks are at most so many, and so far apart."""
    limits = scene.policies[-1]["rollback"]
    resets = [instant(one["at"]) for one in overview["actions"] if one["verb"] == "reset"]
    since = max(resets, default=0.0)
    rollbacks = [one for one in overview["rollbacks"] if instant(one["started_at"]) > since]
    automatic = [one for one in rollbacks if one["actor"] == "lastgood"]
    assert len(automatic) <= limits["max_rollbacks"], automatic
    cooldown = float(limits["cooldown"].removesuffix("s"))
    for before, after in itertools.pairwise(rollbacks):
        if after["actor"] == "lastgood":
            apart = instant(after["started_at"]) - instant(before["finished_at"])
            assert apart >= cooldown, f"{apart:.1f} s apart, the cooldown is {cooldown:.0f} s"


def _no_breach_no_rollback(scene: Scene, results: list[Json]) -> None:
    """I6: what was rolled back without a person's word, or a drill's, had a fault in its tag."""
    ecs = scene.world.cloud.client("ecs")
    for one in results:
        if one["drill"]:
            continue
        if one["outcome"] == "rolled_back" and one["trigger"] != "manual":
            brought = ecs.describe_task_definition(taskDefinition=one["to_task_definition"])
            image = brought["taskDefinition"]["containerDefinitions"][0]["image"]
            assert "-" in image.rpartition(":")[2], one


def _everybody_told(scene: Scene, results: list[Json]) -> None:
    """I7: each unhealthy end reached each channel, and no more often than it may.

    A drill that has passed is told as what is healthy.
    """
    for one in results:
        if one["outcome"] == "healthy" or (one["drill"] and one["drill"]["passed"]):
            continue
        kinds = ["ended"]
        if one["rollback"] and one["outcome"] in ("rolled_back", "rollback_failed"):
            kinds.append("rollback_started")
        for kind in kinds:
            for channel, keys in _keys(scene).items():
                times = keys[f"{one['release']}/{kind}"]
                what = f"{channel}: {one['release']}/{kind} came {times} times; {keys}"
                assert 1 <= times <= (1 if scene.world.quiet else MOST_TRIES), what


def _keys(scene: Scene) -> dict[str, Counter[str]]:
    """How often which notice arrived, by channel: those that the newest policy names."""
    channels = scene.policies[-1]["notify"]
    found: dict[str, Counter[str]] = {}
    slack = channels.get("slack", {}).get("webhook_url", "")
    if slack == "env:SLACK_WEBHOOK_URL":
        found["slack"] = Counter(_dedup(post.text) for post in scene.posts("ok"))
    if channels.get("webhook"):
        hooks = scene.posts("hook")
        assert all(post.key for post in hooks), "a webhook without Idempotency-Key"
        found["webhook"] = Counter(post.body["dedup"] for post in hooks)
    if channels.get("email", {}).get("via") == "smtp":
        mails = scene.stage.mail.about(scene.shop.name)
        assert all(mail["Message-ID"] for mail in mails)
        found["email"] = Counter(_dedup(_body(mail)) for mail in mails)
    if channels.get("sns"):
        sent = scene.world.cloud.aws.messages()
        # Not what an alarm tells a topic of its own.
        texts = [str(one) for one in sent if one["topic"] == scene.world.cloud.topic]
        found["sns"] = Counter(_dedup(text) for text in texts if scene.shop.name in text)
    return found


def _dedup(text: str) -> str:
    """The key that each form of a notice shows: RELEASE/KIND."""
    import re

    found = re.findall(r"[\w.-]+/(?:rollback_started|cooldown|held|ended|reminder-\d+)\b", text)
    assert found, f"a notice without its key: {text}"
    return str(found[-1])


def _body(mail: Message) -> str:
    parts = [part for part in mail.walk() if part.get_content_type() == "text/plain"]
    text: Any = parts[0].get_payload(decode=True)
    return str(text.decode())


def _actions_recorded(scene: Scene, overview: Json) -> None:
    """I11: what a person asked for is on record, with name and reason."""
    recorded = {(one["verb"], one["reason"]): one["actor"] for one in overview["actions"]}
    for operation in scene.operations:
        assert recorded.get(operation), f"{operation} is not on record: {recorded}"


def _histories(scene: Scene) -> None:
    """I8, I9: no secret in any history, and none is long."""
    kinds = [scene.identity(kind) for kind in ("service", "release", "rollback")]
    for run, history in scene.world.temporal.runs(scene.world.namespace, kinds):
        assert run.history_length < MOST_EVENTS, f"{run.id}: {run.history_length} events"
        _no_secret_in([(f"the history of {run.id}", history)])


def _said(runs: list[Run]) -> Iterator[tuple[str, bytes]]:
    for run in runs:
        yield " ".join(run.arguments), (run.out + run.err).encode()


def _received(scene: Scene) -> Iterator[tuple[str, bytes]]:
    for post in scene.posts():
        yield f"a post ({post.way})", post.text.encode()
    for mail in scene.stage.mail.about(scene.shop.name):
        yield "a mail", mail.as_bytes()


def _no_secret_in(texts: Any) -> None:
    """I8: no marker anywhere."""
    for where, text in texts:
        for secret in SECRETS:
            assert secret.encode() not in text, f"a secret in {where}"


def _served(scene: Scene) -> None:
    """Tasks answered all the time: no request went unanswered, no second without an answer."""
    timeline = scene.truth()["timeline"]
    lost = [one for one in timeline if one["versions"].get("", {}).get("requests")]
    assert not lost, f"no task answered in {lost}"
    seconds = [one["second"] for one in timeline]
    gaps = [b - a for a, b in itertools.pairwise(seconds)]
    assert max(gaps, default=0) <= LONGEST_SILENCE, f"no traffic for {max(gaps)} s"
