"""Files of metrics that a backtest reads and writes, and what is wrong with them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from lastgood.decisions.recording import Recording, RecordingError, read, write
from lastgood.errors import UsageError

_A_DAY = 86_400.0


def load(path: Path, period: float | None = None) -> Recording:
    """Read a file of metrics.

    Raises:
        UsageError: naming the file, the line and the remedy.
    """
    try:
        text = path.read_bytes().decode()
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UsageError(f"{path.name}: line {line}: is no UTF-8: save it as UTF-8") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        recording = read(text, period)
    except RecordingError as error:
        raise UsageError(f"{path.name}: {error}") from None
    if not recording.rows:
        raise UsageError(f"{path.name}: line 2: no line after the header: add one for each bucket")
    return recording


def save(recording: Recording, path: Path) -> None:
    """Write a recording as a file that can be read again.

    Raises:
        UsageError: if it is there already, or cannot be written.
    """
    try:
        with path.open("x", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in write(recording))
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from None


def check_moment(recording: Recording, deployed_at: float, name: str) -> None:
    """See that a file tells something about a release.

    Raises:
        UsageError: if it ends before, or begins more than a day later.
    """
    begin, end = recording.rows[0].at, recording.end
    line, why = 0, ""
    if deployed_at >= end:
        line, why = len(recording.rows) + 1, f"the file ends at {_day(end)}, before"
    elif deployed_at < begin - _A_DAY:
        line, why = 2, f"the file begins at {_day(begin)}, long after"
    if why:
        raise UsageError(
            f"{name}: line {line}: {why} --deployed-at ({_day(deployed_at)}): there is nothing to "
            "judge. Give a time within the file"
        )


def _day(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
