"""The app's own metrics, as CloudWatch Embedded Metric Format lines on stdout."""

import json
import sys
import threading
import time

_SAMPLES_PER_LINE = 100  # EMF's limit for the values of one metric


class Metrics:
    """Collects one sample per request; writes what it has once a second, nothing if nothing."""

    def __init__(self, namespace: str, service: str) -> None:
        self._namespace = namespace
        self._service = service
        self._lock = threading.Lock()
        self._samples: dict[int, list[tuple[int, float]]] = {}

    def record(self, *, failed: bool, seconds: float) -> None:
        """Count one request that is not a health check."""
        with self._lock:
            second = self._samples.setdefault(int(time.time()), [])
            second.append((int(failed), seconds * 1000))

    def flush(self) -> None:
        """Write the samples since the last call."""
        with self._lock:
            seconds, self._samples = self._samples, {}
        for second, samples in seconds.items():
            for start in range(0, len(samples), _SAMPLES_PER_LINE):
                write_line(self._line(second, samples[start : start + _SAMPLES_PER_LINE]))

    def run(self) -> None:
        """Flush once a second, for ever."""
        while True:
            time.sleep(1)
            self.flush()

    def _line(self, second: int, samples: list[tuple[int, float]]) -> dict[str, object]:
        metrics = [
            {"Name": "ErrorRate", "Unit": "None", "StorageResolution": 1},
            {"Name": "ResponseTime", "Unit": "Milliseconds", "StorageResolution": 1},
        ]
        directive = {
            "Namespace": self._namespace,
            "Dimensions": [["Service"]],
            "Metrics": metrics,
        }
        return {
            "_aws": {"Timestamp": second * 1000, "CloudWatchMetrics": [directive]},
            "Service": self._service,
            "ErrorRate": [failed for failed, _ in samples],
            "ResponseTime": [round(milliseconds, 3) for _, milliseconds in samples],
        }


def write_line(line: dict[str, object]) -> None:
    """Write one JSON line to stdout at once."""
    sys.stdout.write(json.dumps(line, separators=(",", ":")) + "\n")
    sys.stdout.flush()
