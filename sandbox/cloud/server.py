"""The HTTP server in front of the cloud."""

import threading
from typing import Any

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

from sandbox.cloud.control import Control
from sandbox.cloud.gate import Gate
from sandbox.cloud.world import World

WARMED: tuple[Any, ...] = ("ecs", "elbv2", "cloudwatch", "sns", "ses", "sesv2", "sts", "ec2", "ecr")


class QuietHandler(MotoRequestHandler):
    """Logs no request lines, and treats a connection lost on purpose as lost."""

    def log_request(self, *_: Any, **__: Any) -> None:
        """Stay quiet."""

    def log(self, *_: Any, **__: Any) -> None:
        """Stay quiet."""


class Server:
    """Serves AWS and the control API on 127.0.0.1."""

    def __init__(self, world: World, port: int) -> None:
        self._dispatcher = DomainDispatcherApplication(create_backend_app)
        gate = Gate(self._dispatcher, Control(world), world.lock, world.faults, world.journal)
        self._server = make_server(
            "127.0.0.1", port, gate, threaded=True, request_handler=QuietHandler
        )
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def endpoint(self) -> str:
        """The URL to give to AWS clients."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        """Load every service's backend, which takes moto a while, and begin to serve."""
        for service in WARMED:
            self._dispatcher.app_instances[service] = create_backend_app(service)
        self._thread.start()

    def stop(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
