"""Releases that were real: what they said of themselves on the sandbox."""

import json
from pathlib import Path

from lastgood.contracts import Explanation
from lastgood.model import ReleaseResult, ServiceRef

FOLDER = Path(__file__).parent / "releases"


def recorded_release(name: str) -> tuple[ServiceRef, Explanation, ReleaseResult]:
    """``rolled_back`` for its error rate, or ``healthy``; with the records of their verdicts."""
    told = json.loads((FOLDER / f"{name}.json").read_text())
    return (
        ServiceRef.model_validate(told["service"]),
        Explanation.model_validate(told["explanation"]),
        ReleaseResult.model_validate(told["result"]),
    )
