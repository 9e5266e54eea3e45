"""`lastgood doctor` on a healthy service, and with each thing that a release needs broken."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.durable import breakages
from tests.durable.clinic import Clinic, open_clinic

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clinic(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Clinic]:
    async with open_clinic(tmp_path_factory.mktemp("clinic")) as opened:
        yield opened


async def test_a_healthy_service_is_fine_in_every_line(clinic: Clinic) -> None:
    examined = await clinic.examine()
    assert examined.ailing() == []
    assert examined.code == 0


@pytest.mark.parametrize("broken", breakages.ALL, ids=str)
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
