"""`python -m sandbox`: an AWS on loopback."""

import argparse
import json
import logging
import os
import signal
import sys
import threading

from sandbox.app.behaviour import WORDS
from sandbox.cloud.reference import REFERENCE

_ACCOUNT = "123456789012"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=f"""\
An AWS on loopback, small enough to hold in your hand. Prints one JSON line when it is ready,
{{"endpoint": URL, "env": {{...}}}}; put those variables into the environment of anything that
uses AWS. Ends on SIGTERM or Ctrl-C, and takes all its tasks with it.

ECS services run real processes, behind real load balancers on 127.0.0.1. CloudWatch, SNS, SES,
STS, EC2 (the default VPC and its subnets) and ECR answer too, and IAM's SimulatePrincipalPolicy.
Any credentials will do.
Deployments work as they are configured: ROLLING with circuit breaker, BLUE_GREEN, LINEAR and
CANARY behind an Application Load Balancer, all with deployment alarms, lifecycle hooks (PAUSE
waits; AWS_LAMBDA has SUCCEEDED at once), ListServiceDeployments, DescribeServiceDeployments,
DescribeServiceRevisions, StopServiceDeployment and ContinueServiceDeployment. A rollout without
bake time takes one to four seconds. Health check intervals are shortened; a minute of bake times,
steps and hooks' time-outs lasts as long as --minute says; a health check's grace period is taken
as it is.

How a task behaves is said by its image's tag, or by SANDBOX_BEHAVIOUR in its container's
environment, in the same words:

{WORDS}

A load balancer's listener is a socket on 127.0.0.1 at the listener's port; where that is taken
it gets another one, which CreateListener and DescribeListeners then tell.

Metrics, at a resolution of one second; nothing where there is nothing:

  AWS/ApplicationELB    RequestCount, HTTPCode_Target_2XX_Count (3XX, 4XX, 5XX),
                        TargetConnectionErrorCount, TargetResponseTime (Seconds) by LoadBalancer
                        and by LoadBalancer + TargetGroup; HTTPCode_ELB_5XX_Count by
                        LoadBalancer; HealthyHostCount, UnHealthyHostCount by both
  Servio/Production     ErrorRate (None, 0 to 1) and ResponseTime (Milliseconds) by Service, from
                        the app itself; METRICS_NAMESPACE in the container's environment gives
                        them another namespace

Control API, JSON in and out:

{REFERENCE}""",
    )
    parser.add_argument("--port", type=int, default=0, help="port of the endpoint (default: free)")
    parser.add_argument(
        "--traffic",
        type=float,
        default=20.0,
        metavar="RPS",
        help="requests per second to every listener and every service without one (default: 20)",
    )
    parser.add_argument("--region", default="us-east-1", help="the region (default: us-east-1)")
    for name, text in (
        ("start", "seconds a task takes to start"),
        ("drain", "seconds a target drains at least"),
        ("probe", "seconds between two health checks of a target"),
        ("bake", "seconds that deployment alarms are watched after a rollout"),
    ):
        parser.add_argument(f"--{name}-seconds", type=float, metavar="S", help=text)
    parser.add_argument(
        "--minute",
        type=float,
        metavar="SECONDS",
        help="how long one of AWS's minutes lasts: bakeTimeInMinutes, stepBakeTimeInMinutes,"
        " canaryBakeTimeInMinutes, timeoutInMinutes of hooks (default: 60)",
    )
    parser.add_argument(
        "--lifeline", action="store_true", help="end when stdin ends, as it does with its parent"
    )
    parser.add_argument("--verbose", action="store_true", help="log more, to stderr")
    return parser


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    arguments = _parser().parse_args()
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO if arguments.verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(message)s",
    )
    os.environ["MOTO_ACCOUNT_ID"] = _ACCOUNT
    for name in [known for known in os.environ if known.startswith("AWS_")]:
        del os.environ[name]  # nothing in here is to reach anything out there
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    if arguments.lifeline:
        threading.Thread(target=_wait_for_end, args=(done,), daemon=True).start()
    _run(arguments, done)


def _wait_for_end(done: threading.Event) -> None:
    while os.read(0, 1):
        pass
    done.set()


def _run(arguments: argparse.Namespace, done: threading.Event) -> None:
    from sandbox.cloud.identifiers import Account
    from sandbox.cloud.pace import Pace
    from sandbox.cloud.server import Server
    from sandbox.cloud.world import World

    given = {
        name: value
        for name in ("start", "drain", "probe", "bake")
        if (value := getattr(arguments, f"{name}_seconds")) is not None
    }
    if arguments.minute is not None:
        given["minute"] = arguments.minute
    world = World(Account(_ACCOUNT, arguments.region), arguments.traffic, Pace(**given))
    server = Server(world, arguments.port)
    world.start()
    try:
        server.start()
        environment = {
            "AWS_ENDPOINT_URL": server.endpoint,
            "AWS_REGION": arguments.region,
            "AWS_DEFAULT_REGION": arguments.region,
            "AWS_ACCESS_KEY_ID": "sandbox",
            "AWS_SECRET_ACCESS_KEY": "sandbox",
        }
        ready = {"endpoint": server.endpoint, "env": environment}
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        done.wait()
    finally:
        world.stop()


if __name__ == "__main__":
    main()
