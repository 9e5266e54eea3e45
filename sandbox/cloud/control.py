"""The control API under /sandbox/: faults, traffic, the truth, mails. JSON in and out."""

import json
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

from sandbox.cloud.ecs.model import Service
from sandbox.cloud.faults import KINDS, Fault
from sandbox.cloud.identifiers import name_of
from sandbox.cloud.truth import tell
from sandbox.cloud.world import World

Answer = Any
Query = dict[str, str]


class Control:
    """A WSGI application."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._routes: dict[tuple[str, str], Callable[[Query, Any], Answer]] = {
            ("GET", "truth"): self._truth,
            ("GET", "listeners"): self._listeners,
            ("GET", "requests"): lambda query, _: world.journal.list(query.get("action")),
            ("DELETE", "requests"): lambda *_: world.journal.clear(),
            ("GET", "traffic"): lambda *_: self._traffic(),
            ("POST", "traffic"): self._set_traffic,
            ("GET", "faults"): lambda *_: world.faults.list(),
            ("POST", "faults"): self._add_fault,
            ("DELETE", "faults"): lambda *_: world.faults.clear(),
            ("GET", "mails"): lambda *_: world.moto.mails(),
            ("GET", "messages"): lambda *_: world.moto.messages(),
            ("POST", "kill"): self._kill,
            ("POST", "rollbacks"): self._set_rollbacks,
            ("GET", "images"): self._images,
            ("POST", "images"): self._move,
            ("DELETE", "images"): self._remove,
            ("GET", "troubles"): lambda *_: list(world.troubles),
        }

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer one request of the control API."""
        path = environ["PATH_INFO"].removeprefix("/sandbox/").strip("/")
        route = self._routes.get((environ["REQUEST_METHOD"], path))
        query = {k: v[0] for k, v in parse_qs(environ.get("QUERY_STRING", "")).items()}
        length = int(environ.get("CONTENT_LENGTH") or 0)
        raw = environ["wsgi.input"].read(length) if length else b""
        status, answer = "404 Not Found", {"error": f"no such thing: {path}"}
        if route is not None:
            try:
                with self._world.lock:
                    answer = route(query, json.loads(raw or b"{}"))
                status = "200 OK"
            except (KeyError, ValueError, TypeError) as error:
                status, answer = "400 Bad Request", {"error": repr(error)}
        body = json.dumps({} if answer is None else answer).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        start_response(status, headers)
        return [body]

    def _truth(self, query: Query, _body: Any) -> Answer:
        return tell(self._service(query), self._world.front)

    def _service(self, where: Query) -> Service:
        key = (name_of(where.get("cluster", "default")), name_of(where["service"]))
        return self._world.registry.services[key]

    def _set_rollbacks(self, _query: Query, body: Any) -> Answer:
        service = self._service(body)
        service.rollbacks_fail = bool(body["fail"])
        return {"service": service.arn, "fail": service.rollbacks_fail}

    def _images(self, _query: Query, _body: Any) -> Answer:
        digests = self._world.digests
        return [
            {
                "repository": pushed.repository,
                "digest": pushed.digest,
                "tags": digests.tags(pushed),
                "behaviour": pushed.words,
            }
            for pushed in digests.list()
        ]

    def _move(self, _query: Query, body: Any) -> Answer:
        return {"digest": self._world.digests.move(str(body["image"]), str(body["behaviour"]))}

    def _remove(self, _query: Query, body: Any) -> Answer:
        return {"digest": self._world.digests.remove(str(body["image"]))}

    def _listeners(self, _query: Query, _body: Any) -> Answer:
        return [
            {"listener": known.arn, "loadBalancer": known.name, "url": known.url}
            for known in self._world.front.listeners.values()
        ]

    def _traffic(self) -> Answer:
        rates = self._world.front.rates
        return {"rps": rates.overall, "named": rates.named}

    def _set_traffic(self, _query: Query, body: Any) -> Answer:
        rates = self._world.front.rates
        if body.get("name"):
            rates.named[str(body["name"])] = float(body["rps"])
        else:
            rates.overall = float(body["rps"])
        return self._traffic()

    def _add_fault(self, _query: Query, body: Any) -> Answer:
        if body["kind"] not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}")
        times = body.get("times")
        fault = Fault(
            kind=body["kind"],
            action=str(body.get("action", "*")),
            times=None if times is None else int(times),
            seconds=float(body.get("seconds", 0)),
            skip=int(body.get("skip", 0)),
        )
        self._world.faults.add(fault)
        return fault.describe()

    def _kill(self, _query: Query, body: Any) -> Answer:
        found = self._world.registry.find_task(body["task"])
        if found is None:
            raise KeyError(body["task"])
        self._world.runner.kill(found[1])
        return {"killed": found[1].arn}
