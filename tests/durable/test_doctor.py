"""`lastgood doctor` on a healthy service, and with each thing that a release needs broken."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
import yaml

from tests.durable import breakages
from tests.durable.clinic import Clinic, open_clinic

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clinic(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Clinic]:
    async with open_clinic(tmp_path_factory.mktemp("clinic")) as opened:
        yield opened


def all_there_is(clinic: Clinic) -> dict[str, Any]:
    """What an examination might change."""
    ecs, service = clinic.client("ecs"), clinic.stack.describe()
    service.pop("events", None)
    return {
        "service": service,
        "tags": ecs.list_tags_for_resource(resourceArn=service["serviceArn"])["tags"],
        "definitions": ecs.list_task_definitions()["taskDefinitionArns"],
        "mails": clinic.cloud.mails(),
        "messages": clinic.cloud.messages(),
    }


async def test_a_healthy_service_is_fine_in_every_line_and_stays_as_it_is(clinic: Clinic) -> None:
    clinic.received.clear()
    before = all_there_is(clinic)
    clinic.cloud.forget_requests()
    examined = await clinic.examine()
    assert examined.ailing() == []
    assert examined.code == 0
    assert [one for one in clinic.cloud.requests() if one["effects"]] == []
    assert all_there_is(clinic) == before
    assert set(clinic.received) == {("HEAD", "/")}
    assert "secret-part" not in str(examined.said)
    assert {line["area"] for line in examined.lines} == {
        *("temporal", "service", "permissions", "triggers", "smoke", "notify"),
        *("target", "second net", "guard"),
    }
    tried = {line["what"].split()[0] for line in examined.lines if line["area"] == "permissions"}
    assert len(tried - {"identity"}) == 21


async def test_a_test_message_is_really_sent_on_every_channel(clinic: Clinic) -> None:
    clinic.received.clear()
    mails, messages = len(clinic.cloud.mails()), len(clinic.cloud.messages())
    examined = await clinic.examine(None, "--send-test")
    assert examined.code == 0
    assert [line["found"] for line in examined.lines if line["what"].startswith("test: ")] == [
        "taken: see that it arrived"
    ] * 4
    posted = {path for method, path in clinic.received if method == "POST"}
    assert posted == {"/slack/secret-part", "/hook/secret-part"}
    assert len(clinic.cloud.mails()) == mails + 1
    assert len(clinic.cloud.messages()) == messages + 1
    assert "TEST" in clinic.cloud.mails()[-1]["subject"]


async def test_a_test_message_that_is_refused_is_said(clinic: Clinic) -> None:
    refusing = {breakages.SLACK: clinic.address + "/refuse/secret-part"}
    examined = await clinic.examine(None, "--send-test", **refusing)
    [line] = examined.of("test: slack")
    assert line["standing"] == "broken"
    assert "answered 403" in line["found"]
    assert "lastgood doctor --send-test" in line["remedy"]
    assert examined.code == 2
    assert "secret-part" not in str(examined.said)


async def test_services_are_examined_side_by_side(clinic: Clinic) -> None:
    """One of two is not there: it is said of that one."""
    other = clinic.folder / "other.yaml"
    other.write_text(yaml.safe_dump(clinic.policy | {"service": "clinic/elsewhere"}))
    examined = await clinic.examine(None, "--policy", str(other))
    by_subject = {one["subject"]: one["lines"] for one in examined.said["examined"]}
    assert list(by_subject) == ["Temporal", "clinic/clinic", "clinic/elsewhere"]
    assert [one for one in by_subject["clinic/clinic"] if one["standing"] != "fine"] == []
    assert by_subject["clinic/elsewhere"][0]["standing"] == "broken"
    assert examined.code == 2


CASES = [
    pytest.param(one, marks=pytest.mark.campaign if one.rare else (), id=str(one))
    for one in breakages.ALL
]


@pytest.mark.parametrize("broken", CASES)
async def test_what_is_broken_is_found_with_its_remedy(
    clinic: Clinic, broken: breakages.Breakage
) -> None:
    with broken.happens(clinic) as policy:
        examined = await clinic.examine(policy, **broken.environment)
    found = [line for line in examined.ailing() if line["what"].startswith(broken.what)]
    telling = [line for line in found if line["standing"] == broken.standing]
    assert telling, examined.ailing()
    assert broken.found in telling[0]["found"]
    assert broken.remedy in telling[0]["remedy"]
    bad = [line for line in examined.ailing() if is_bad(line)]
    assert examined.code == (2 if bad else 0)
    assert all(line["remedy"] for line in examined.ailing())


def is_bad(line: dict[str, Any]) -> bool:
    return line["standing"] == "broken" or (line["standing"] == "unknown" and not line["excused"])
