"""What an image's tag says about how its task behaves.

A tag is `VERSION` and then any number of faults, each with a leading dash, at its end:
`2.0`, `2.0-errors-0.4`, `2.0-slow-3s-errors-0.1`, `2.0-crash`. Words in the middle of a
version (`fix-slow-query`, `1.0-crash-fix`) are part of the version.
"""

import re
from typing import NamedTuple

_DURATION = r"\d+(?:\.\d+)?(?:ms|s|m)"
_FAULT = (
    r"-errors-(?:0(?:\.\d+)?|1(?:\.0+)?|\.\d+)"
    rf"|-slow-{_DURATION}|-dies-{_DURATION}|-degrades-{_DURATION}|-sick-{_DURATION}"
    r"|-crash|-unhealthy"
)
_TAG = re.compile(rf"(?P<version>.*?)(?P<faults>(?:{_FAULT})*)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}

WORDS = """\
  VERSION             fine
  -errors-0.4         answers that share of requests with 500, evenly spread; /health stays 200
  -slow-3s            every request takes 3 s longer; /health stays quick
  -crash              exits with status 1 before it listens
  -unhealthy          never passes its health check (503); other paths are fine
  -dies-5s            runs well for 5 s, then exits with status 1; its replacement does the same
  -degrades-5s        runs well for 5 s, then answers everything, /health too, with 503
  -sick-5s            runs well for 5 s, then fails only its health check
Durations are written 500ms, 3s, 1m. Several faults combine: 2.0-errors-0.4-slow-1s.
The 5 s of -degrades and -sick count from when the deployment's first task came up, so a
replacement does not make the fault go away for another 5 s; those of -dies from each start."""


class Behaviour(NamedTuple):
    """How one process behaves; durations in seconds, None where the fault is absent."""

    version: str = ""
    errors: float = 0.0
    slow: float = 0.0
    crash: bool = False
    unhealthy: bool = False
    dies: float | None = None
    degrades: float | None = None
    sick: float | None = None


def parse(tag: str) -> Behaviour:
    """Read a tag, or the words of `SANDBOX_BEHAVIOUR` (which may lack version and first dash)."""
    match = _TAG.fullmatch(f"-{tag}")
    if match is None or match["version"]:
        match = _TAG.fullmatch(tag)
    if match is None or not match["faults"]:
        return Behaviour(version=tag)
    fields: dict[str, float | bool] = {}
    for fault in re.findall(_FAULT, match["faults"]):
        name, _, value = fault[1:].partition("-")
        fields[name] = _value(name, value)
    return Behaviour(version=match["version"], **fields)  # type: ignore[arg-type] # by name


def _value(name: str, text: str) -> float | bool:
    if not text:
        return True
    if name == "errors":
        return float(text)
    digits = text.rstrip("ms")
    return float(digits) * _UNITS[text[len(digits) :]]
