"""Timeouts and retries of all activities, by kind, once.

``start_to_close`` of an AWS call is longer than the client's own connect and read time-outs
together, so that an attempt which Temporal gave up on is really dead, and short, since it is also
the time until a call lost with its worker is made again.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TypedDict

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityCancellationType

with workflow.unsafe.imports_passed_through():
    from lastgood.messages import WATCH_TASK_QUEUE


class Options(TypedDict, total=False):
    """The part of an activity's options that its kind decides."""

    task_queue: str | None
    schedule_to_close_timeout: timedelta | None
    start_to_close_timeout: timedelta | None
    heartbeat_timeout: timedelta | None
    retry_policy: RetryPolicy | None
    cancellation_type: ActivityCancellationType


_PATIENT = RetryPolicy(
    initial_interval=timedelta(seconds=1),
    backoff_coefficient=2.0,
    maximum_interval=timedelta(seconds=15),
)

READ = Options(
    start_to_close_timeout=timedelta(seconds=10),
    schedule_to_close_timeout=timedelta(minutes=5),
    retry_policy=_PATIENT,
)
"""A look at AWS on the way forward, which may give up."""

MUTATE = Options(
    start_to_close_timeout=timedelta(seconds=20),
    schedule_to_close_timeout=timedelta(minutes=5),
    retry_policy=_PATIENT,
)
"""A change of AWS on the way forward."""

READ_ON_THE_WAY_BACK = Options(
    start_to_close_timeout=timedelta(seconds=10),
    schedule_to_close_timeout=timedelta(hours=24),
    retry_policy=_PATIENT,
)
"""The way back must not give up."""

MUTATE_ON_THE_WAY_BACK = Options(
    start_to_close_timeout=timedelta(seconds=20),
    schedule_to_close_timeout=timedelta(hours=24),
    retry_policy=_PATIENT,
)

READ_BRIEFLY = Options(
    start_to_close_timeout=timedelta(seconds=10),
    schedule_to_close_timeout=timedelta(seconds=45),
    retry_policy=_PATIENT,
)
"""A look at what makes the way back shorter; without it there is another way."""

EXAMINE = Options(
    start_to_close_timeout=timedelta(seconds=20),
    schedule_to_close_timeout=timedelta(seconds=45),
    retry_policy=RetryPolicy(initial_interval=timedelta(seconds=0.5), maximum_attempts=3),
)
"""A look on behalf of a person who waits: what cannot be read is an answer, too."""

ASK_REGISTRY = Options(
    start_to_close_timeout=timedelta(seconds=5),
    schedule_to_close_timeout=timedelta(seconds=10),
    retry_policy=_PATIENT,
)
"""What a tag means now, while a rollback waits: it is not the registry's to hold that up."""

STEER = Options(
    start_to_close_timeout=timedelta(seconds=20),
    schedule_to_close_timeout=timedelta(seconds=60),
    retry_policy=_PATIENT,
)
"""Telling ECS to stop or to go on with what it does; without it there is another way."""

_PROBE_MARGIN = timedelta(seconds=10)


def probe_options(takes: timedelta) -> Options:
    """One HTTP check that takes at most so long; a bad answer is a result, not a failure."""
    return Options(
        start_to_close_timeout=takes + _PROBE_MARGIN,
        schedule_to_close_timeout=timedelta(minutes=10),
        retry_policy=_PATIENT,
    )


NOTIFY = Options(
    start_to_close_timeout=timedelta(seconds=20),
    schedule_to_close_timeout=timedelta(minutes=3),
    retry_policy=RetryPolicy(
        initial_interval=timedelta(seconds=1),
        backoff_coefficient=2.0,
        maximum_interval=timedelta(seconds=30),
        maximum_attempts=6,
    ),
)
"""One message; it may be given up, and changes nothing."""

PICTURE = Options(
    start_to_close_timeout=timedelta(seconds=40),
    schedule_to_close_timeout=timedelta(minutes=2),
    retry_policy=RetryPolicy(initial_interval=timedelta(seconds=2), maximum_attempts=2),
)
"""A picture for a message; it may be missing."""

_WATCH_RETRIES = RetryPolicy(
    initial_interval=timedelta(seconds=1),
    backoff_coefficient=1.5,
    maximum_interval=timedelta(seconds=10),
    # A bug of ours: the window is inconclusive then, and says so; it does not hang.
    non_retryable_error_types=["TypeError", "ValueError", "KeyError", "AttributeError"],
)
WATCH_MARGIN = timedelta(minutes=6)
"""How long after its end a watch may still answer: datapoints that are published late are waited
for, three minutes at most, and its last look is tried again for a while."""
OUTAGE = timedelta(hours=6)
"""How long all workers may be gone: the window is judged by the data's own time afterwards."""


def watch_options(lasts: timedelta) -> Options:
    """A watch that ends by itself after ``lasts``."""
    limit = max(lasts, timedelta(0)) + WATCH_MARGIN
    return Options(
        task_queue=WATCH_TASK_QUEUE,
        start_to_close_timeout=limit,
        schedule_to_close_timeout=limit + OUTAGE,
        heartbeat_timeout=timedelta(seconds=15),
        retry_policy=_WATCH_RETRIES,
        cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    )


ASK = Options(
    start_to_close_timeout=timedelta(seconds=30),
    schedule_to_close_timeout=timedelta(hours=24),
    retry_policy=_PATIENT,
    cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
)
"""A question to a guard: whoever carries it out is the one who answers, so it gets an answer.
Cancelled, it is not asked again, and what was asked last has its answer or its time-out."""

ASK_BRIEFLY = Options(
    start_to_close_timeout=timedelta(seconds=30),
    schedule_to_close_timeout=timedelta(hours=24),
    retry_policy=RetryPolicy(
        initial_interval=timedelta(seconds=1),
        backoff_coefficient=2.0,
        maximum_interval=timedelta(seconds=15),
        maximum_attempts=8,
    ),
)
"""A question to a guard while other services wait: given up after some minutes of tries, but not
for the outage of all workers, which makes none."""

GLANCE = Options(
    start_to_close_timeout=timedelta(seconds=10),
    schedule_to_close_timeout=timedelta(seconds=45),
    retry_policy=_PATIENT,
)
"""One more look at a guard that is also followed."""

FOLLOW = Options(
    task_queue=WATCH_TASK_QUEUE,
    start_to_close_timeout=timedelta(hours=24),
    heartbeat_timeout=timedelta(seconds=15),
    retry_policy=_PATIENT,
    cancellation_type=ActivityCancellationType.TRY_CANCEL,
)
"""A look at a guard every few seconds, as long as its service takes: in a queue, held, for days."""
