"""Tags of an alarm: who made it, for which service, and what it was when we had written it."""

from __future__ import annotations

MADE_BY = "lastgood:made-by"
SERVICE = "lastgood:service"
FINGERPRINT = "lastgood:fingerprint"
"""Of the alarm as it was read back: another one now, and somebody changed it by hand."""

APPLIED = "lastgood alarms apply"
EXPORTED = "lastgood alarms export"
"""Such an alarm is its stack's, or Terraform's: ``apply`` leaves it alone."""


def tags_of(service: str, made_by: str, fingerprint: str | None = None) -> dict[str, str]:
    """The tags of an alarm that is made for CLUSTER/SERVICE."""
    tags = {MADE_BY: made_by, SERVICE: service}
    return tags | ({FINGERPRINT: fingerprint} if fingerprint else {})
