"""Between CloudWatch's dates on the wire and our seconds since the epoch."""

from datetime import UTC, datetime


def seconds(moment: datetime) -> float:
    """Seconds since the epoch; a date without a zone is UTC."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def date(moment: float) -> datetime:
    """The same moment as a date in UTC."""
    return datetime.fromtimestamp(moment, UTC)


def stamp(moment: float) -> str:
    """As CloudWatch writes times into its JSON: `2026-01-31T12:00:00.000+0000`."""
    return date(moment).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"
