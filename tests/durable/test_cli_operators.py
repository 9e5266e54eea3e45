"""What operators ask on the command line, and how they are answered."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from lastgood.cli import main
from lastgood.contracts import FreezeRequest
from lastgood.model import Outcome
from tests.durable.cli_fakes import NOW, Rig, result, rig

WHERE = ("shop/web", "--region", "eu-west-1", "--reason", "so it is")
ABOUT_A_RELEASE = ("promote", "hold", "resume", "approve", "deny", "cancel")
ABOUT_A_SERVICE = ("freeze", "unfreeze", "adopt", "acknowledge")
ACTOR = {"GITLAB_CI": "true", "GITLAB_USER_LOGIN": "ann"}


@pytest.fixture
async def cli(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(tmp_path) as made:
        yield made


async def asked(cli: Rig) -> list[tuple[str, FreezeRequest]]:
    found: list[tuple[str, FreezeRequest]] = await cli.guard().query(
        "requests", result_type=list[tuple[str, FreezeRequest]]
    )
    return found


async def test_every_verb_reaches_the_guard_with_who_why_and_an_id_of_its_own(cli: Rig) -> None:
    await cli.here("adopt", *WHERE)
    verbs = (*ABOUT_A_RELEASE, *ABOUT_A_SERVICE)
    for verb in verbs:
        answer = await cli.here(verb, *WHERE, env=ACTOR)
        assert (answer.code, answer.out) == (0, f"Did {verb} for ann (GitLab CI).\n"), answer.err
    requests = (await asked(cli))[1:]
    assert [verb for verb, _ in requests] == list(verbs)
    assert {one.reason for _, one in requests} == {"so it is"}
    assert len({one.id for _, one in requests}) == len(verbs)


async def test_the_answer_as_json_names_service_verb_and_release(cli: Rig) -> None:
    await cli.here("adopt", *WHERE)
    answer = await cli.here("deny", *WHERE, "--release", "r1", "--output", "json", env=ACTOR)
    assert json.loads(answer.out) == {
        "service": "shop/web",
        "verb": "deny",
        "done": True,
        "text": "Did deny for ann (GitLab CI).",
        "release": "r1",
    }


async def test_what_makes_no_sense_is_refused_with_the_guards_sentence(cli: Rig) -> None:
    await cli.here("adopt", *WHERE)
    answer = await cli.here("promote", *WHERE[:-1], "not now")
    assert (answer.code, answer.out) == (15, "REFUSED: There is nothing to promote now.\n")
    answer = await cli.here("promote", *WHERE[:-1], "not now", "--output", "json")
    assert (answer.code, json.loads(answer.out)["done"]) == (15, False)


async def test_a_freeze_lasts_as_long_as_it_is_told(cli: Rig) -> None:
    assert (await cli.here("freeze", *WHERE, "--for", "1h30m")).code == 0
    assert (await cli.here("freeze", *WHERE)).code == 0
    lasting = [one.lasts for _, one in await asked(cli)]
    assert lasting == [timedelta(minutes=90), None]


@pytest.mark.parametrize("verb", ["unfreeze", "reset"])
async def test_what_tags_may_remember_needs_no_guard(cli: Rig, verb: str) -> None:
    """Temporal's database was lost, say: a guard is started, which reads them."""
    answer = await cli.here(verb, *WHERE)
    assert answer.code == 0, answer.out
    assert [verb for verb, _ in await asked(cli)] == [verb] * (verb != "reset")


@pytest.mark.parametrize("verb", [*ABOUT_A_RELEASE, "acknowledge"])
async def test_without_a_guard_there_is_nothing_to_operate(cli: Rig, verb: str) -> None:
    answer = await cli.here(verb, *WHERE)
    assert answer.code == 15
    assert answer.out.startswith("REFUSED: Lastgood has no record of shop/web in eu-west-1")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["freeze", *WHERE, "--for", "4"], "no duration: write"),
        (["freeze", *WHERE, "--for", "0s"], "out of range: write 1s to"),
        (["adopt", *WHERE, "--release", "r1"], "No such option"),
        (["promote", "shop/web"], "Missing option '--reason'"),
        (["hold", *WHERE[:-1], " "], "say why"),
    ],
)
def test_wrong_usage(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(arguments) == 2
    assert said in capsys.readouterr().err


# --- Follow ------------------------------------------------------------------------------------

SHOP = ("follow", "shop/web", "--region", "eu-west-1")


async def test_anyone_can_follow_a_release_that_ended_while_nobody_looked(cli: Rig) -> None:
    await cli.here("adopt", *WHERE)
    await cli.end(result("r7", Outcome.ROLLED_BACK, trigger="error-rate"))
    answer = await cli.here(*SHOP, "--release", "r7")
    assert answer.code == 10
    assert answer.out.startswith("ROLLED BACK: release r7 of shop/web\n")


async def test_without_an_id_it_is_the_release_under_way_or_else_the_last_one(cli: Rig) -> None:
    await cli.here("adopt", *WHERE)
    await cli.end(result("r1", Outcome.HEALTHY, finished_at=NOW))
    last = await cli.here(*SHOP)
    assert (last.code, last.out.splitlines()[0]) == (0, "HEALTHY: release r1 of shop/web")
    await cli.here("deploy", "--image", "web:2.0", "--release", "r2", "--no-wait")
    following = await cli.start(*SHOP)
    assert following.stderr
    assert b"Release r2 of shop/web" in await following.stderr.readline()
    await cli.end(result("r2", Outcome.SUPERSEDED))
    assert (await cli.end_of(following)).code == 14


async def test_a_release_that_nobody_knows_is_said_at_once(cli: Rig) -> None:
    nothing = await cli.here(*SHOP)
    assert (nothing.code, nothing.err.strip()[:28]) == (2, "Lastgood has no record of sh")
    await cli.here("adopt", *WHERE)
    unknown = await cli.here(*SHOP, "--release", "r9")
    assert unknown.code == 2
    assert "knows no release r9" in unknown.err
