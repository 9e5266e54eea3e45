"""One smoke check of the policy: asked until it is good, or its attempts are used up."""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ActivityError

from workflows import calls

with workflow.unsafe.imports_passed_through():
    from lastgood.contracts import Finding, ProbeAnswer, SmokeOrder
    from lastgood.policy import SmokeCheck


async def smoke(check: SmokeCheck) -> ProbeAnswer | Finding:
    """Its last answer; a finding if it cannot be asked at all."""
    answer = ProbeAnswer(ok=False, text="not asked", milliseconds=0)
    for attempt in range(check.attempts):
        if attempt:
            await workflow.sleep(
                check.every,
                summary=f"Smoke test again, {attempt + 1} of {check.attempts} attempts",
            )
        try:
            answer = await calls.smoke_test(SmokeOrder(check=check))
        except ActivityError as error:
            return Finding(kind="inconclusive", reason=f"Smoke test: {calls.why(error)}")
        if answer.ok:
            break
    return answer
