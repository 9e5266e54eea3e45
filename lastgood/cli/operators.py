"""What operators ask of a guard, beside a rollback: one verb each, all of one shape."""

from __future__ import annotations

from lastgood import messages
from lastgood.cli.operating import verb
from lastgood.cli.options import duration_option

promote = verb(
    messages.PROMOTE,
    """End the monitor window now: the release is good.

    The triggers no longer watch it, and the next release may begin.

    \b
    Example:
      lastgood promote shop/web --reason "checked by hand, the campaign begins"
    """,
    about_a_release=True,
)

hold = verb(
    messages.HOLD,
    """Take the decision out of the machine's hands: no automatic rollback from now on.

    The release waits for a person, who says approve, deny or resume; a rollback is possible too.

    \b
    Example:
      lastgood hold shop/web --reason "the alarm is about the data centre, we look into it"
    """,
    about_a_release=True,
)

resume = verb(
    messages.RESUME,
    """Let a held release be judged again: its monitor window goes on.

    \b
    Example:
      lastgood resume shop/web --reason "the data centre is back"
    """,
    about_a_release=True,
)

approve = verb(
    messages.APPROVE,
    """Say that a held release is good; it ends as healthy.

    \b
    Example:
      lastgood approve shop/web --reason "no data, but all orders go through"
    """,
    about_a_release=True,
)

deny = verb(
    messages.DENY,
    """Say that a held release is bad; it is rolled back.

    \b
    Example:
      lastgood deny shop/web --reason "checkout shows wrong prices"
    """,
    about_a_release=True,
)

cancel = verb(
    messages.CANCEL,
    """Take a queued release out of the queue, or end the watch over the one under way.

    A release that is under way stays where it is: the service is not moved back. A queued one must
    be named with --release.

    \b
    Example:
      lastgood cancel shop/web --release 2.1 --reason "it lacks the migration"
    """,
    about_a_release=True,
)

freeze = verb(
    messages.FREEZE,
    """Let no new release begin, for a while or until somebody unfreezes. Rollbacks still may.

    A release that is under way goes on. `lastgood deploy --force --reason` releases all the same.

    \b
    Example:
      lastgood freeze shop/web --for 4h --reason "the sale"
    """,
    starts=True,
    more=[duration_option("--for", "lasts", "How long: 30m, 4h, 7d. Without it: until unfreeze.")],
)

unfreeze = verb(
    messages.UNFREEZE,
    """Let releases begin again. Freeze windows of the policy are not lifted by this.

    \b
    Example:
      lastgood unfreeze shop/web --reason "the sale is over"
    """,
    starts=True,  # a guard that was lost reads from the service's tags that it is frozen
)

adopt = verb(
    messages.ADOPT,
    """Say that what runs steadily now is good: it is what a bad release goes back to.

    This starts the ledger of a service that was never released with Lastgood.

    \b
    Example:
      lastgood adopt shop/web --reason "runs since March"
    """,
    starts=True,
)

acknowledge = verb(
    messages.ACKNOWLEDGE,
    """Stop the repeated telling about a failed rollback: somebody takes care of it.

    \b
    Example:
      lastgood acknowledge shop/web --reason "on it, see the incident channel"
    """,
)

reset = verb(
    messages.RESET,
    """Lift a service's cooldown and rollback limit: rollbacks so far no longer count.

    \b
    Example:
      lastgood reset shop/web --reason "the bad database node is gone"
    """,
    starts=True,  # a guard that was lost reads from the service's tags what counts
)
