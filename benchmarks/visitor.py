"""Somebody who visits a service all the time and notes which version answered."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from itertools import pairwise
from typing import Self
from urllib.parse import urlsplit

from benchmarks.report import median


@dataclass(frozen=True)
class _Answer:
    at: float
    version: str


class Visitor(threading.Thread):
    """One request after the other, each over a connection of its own."""

    EVERY = 0.02

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._place = urlsplit(url).netloc
        self._ended = threading.Event()
        self._answers: list[_Answer] = []
        self._failed = 0

    def run(self) -> None:
        """Visit until the end."""
        while not self._ended.wait(self.EVERY):
            connection = HTTPConnection(self._place, timeout=5)
            try:
                connection.request("GET", "/")
                answer = connection.getresponse()
                answer.read()
                version = answer.getheader("X-App-Version", "")
                self._answers.append(_Answer(time.time(), version))
                self._failed += answer.status != 200
            except (OSError, HTTPException):
                self._failed += 1
            finally:
                connection.close()

    def met(self, version: str) -> bool:
        """Whether a version has answered."""
        return any(answer.version == version for answer in self._answers)

    def last(self, version: str) -> float:
        """When a version answered for the last time, in seconds since the epoch."""
        return max(answer.at for answer in self._answers if answer.version == version)

    @property
    def failed(self) -> int:
        """How many visits were answered with anything but 200, or not at all."""
        return self._failed

    @property
    def pace(self) -> float:
        """Seconds from one answer to the next, in the median."""
        return median([after.at - before.at for before, after in pairwise(self._answers)])

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join(timeout=10)
