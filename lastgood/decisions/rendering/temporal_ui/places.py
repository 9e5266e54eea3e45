"""Where to go from a workflow: AWS's console, other workflows, and what to type.

The rule. A command names a release only if that is written without quotes in every shell. A place
in Temporal's UI is a link only where the worker knows the UI's address (LASTGOOD_UI_URL): a link
without one would open inside the frame that the UI shows the text in.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from lastgood.decisions.rendering.temporal_ui.markdown import code, link, text
from lastgood.model import ServiceRef

_PLAIN_WORD = re.compile(r"[A-Za-z0-9][\w.:/@+-]*", re.ASCII)


def command(verb: str, about: str, reason: bool = False) -> str:
    """What to type."""
    word = about if _PLAIN_WORD.fullmatch(about) else "…"
    return code(f"lastgood {verb} {word}" + (' --reason "…"' if reason else ""))


def workflow(label: str, ui: str, namespace: str, ident: str, tab: str = "") -> str:
    """The latest run of another workflow, or a run of this one with its tab."""
    if not ui:
        return f"{text(label)}: {code(ident)}" if not tab else text(label)
    place = f"{ident}/{tab}" if tab else quote(ident, safe="")
    return link(label, f"{ui}/namespaces/{quote(namespace, safe='')}/workflows/{place}")


def this_run(ident: str, run: str) -> str:
    """A workflow's run as a part of an address."""
    return f"{quote(ident, safe='')}/{quote(run, safe='')}"


def ecs_console(service: ServiceRef) -> str:
    """The service in AWS's console."""
    path = f"ecs/v2/clusters/{quote(service.cluster)}/services/{quote(service.name)}/deployments"
    return link("ECS console", f"{_console(service.region)}/{path}?region={service.region}")


def alarm_console(region: str, alarm: str) -> str:
    """An alarm in AWS's console."""
    # The console wants its own fragment escaped twice, with $ in place of %.
    name = quote(quote(alarm, safe=""), safe="").replace("%", "$")
    address = f"{_console(region)}/cloudwatch/home?region={region}#alarmsV2:alarm/{name}"
    return link(alarm, address)


def _console(region: str) -> str:
    domain = "aws.amazon.com"
    if region.startswith("cn-"):
        domain = "amazonaws.cn"
    elif region.startswith("us-gov-"):
        domain = "amazonaws-us-gov.com"
    return f"https://{region}.console.{domain}"
