"""The templates in a policy's notify: read from their files, and tried out.

A template may be written as ``file:NAME``: a file beside the policy file, or below its folder. It
is read when the policy is, so that its text travels with the release and is the same to its end.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lastgood.group_policy import GroupPolicy
from lastgood.policy import Policy
from lastgood.policy_notify import Channel, NotifyPolicy, WebhookChannel
from lastgood.strict_yaml import Document, Fault
from lastgood.strict_yaml import Path as Key

_FILE = "file:"
_KEYS = ("title", "template")
_MOST = 4000
"""Characters, as for a template that is written into the policy."""


def read_files(document: Document, folder: Path | None) -> tuple[list[Fault], dict[Key, str]]:
    """Put the text of each template's file in its place.

    Args:
        document: the policy as it was read; its data is changed.
        folder: where the policy file is; None: nowhere.

    Returns:
        The files that cannot be used; and the names of those that were read, by their keys.
    """
    faults, names = [], {}
    for path, holder, key in list(_named(document.data)):
        name = holder[key].removeprefix(_FILE).strip()
        try:
            holder[key] = _read(name, folder)
            names[(*path, key)] = name
        except ValueError as error:
            faults.append(Fault(document.line((*path, key)), (*path, key), str(error)))
            holder[key] = "-"  # said once
    return faults, names


def wrong_in(
    policy: Policy | GroupPolicy, document: Document, names: dict[Key, str]
) -> Iterator[Fault]:
    """What is wrong with a policy's templates, with their line in the template."""
    for path, notify in _notifies(policy):
        for key, channel in notify.channels():
            here = (*path, *(int(one) if one.isdigit() else one for one in key.split(".")))
            yield from _of_channel(here, channel, document, names)


def _of_channel(
    path: Key, channel: Channel, document: Document, names: dict[Key, str]
) -> Iterator[Fault]:
    for key in _KEYS:
        text = getattr(channel, key)
        if text is None:
            continue
        # Jinja is needed by few, and takes its time.
        from lastgood.decisions.sample_notices import samples
        from lastgood.message_templates import problems

        here = (*path, key)
        json = key == "template" and isinstance(channel, WebhookChannel)
        for line, message in problems(text, samples(), as_json=json):
            place = f"{names[here]}:{line}" if here in names else f"line {line} of the template"
            yield Fault(document.line(here), here, f"{place}: {message}")


def _notifies(policy: Policy | GroupPolicy) -> Iterator[tuple[Key, NotifyPolicy]]:
    yield ("notify",), policy.notify
    for number, one in enumerate(policy.services if isinstance(policy, GroupPolicy) else ()):
        yield ("services", number, "notify"), one.notify


def _named(data: Any, path: Key = ()) -> Iterator[tuple[Key, dict[str, Any], str]]:
    """Each template that names a file: the mapping that it is in, and its key there."""
    if isinstance(data, list):
        for number, one in enumerate(data):
            yield from _named(one, (*path, number))
    elif isinstance(data, dict):
        if "notify" in path:
            for key in _KEYS:
                if isinstance(data.get(key), str) and data[key].startswith(_FILE):
                    yield path, data, key
        for key, one in data.items():
            if "notify" in path or key in ("notify", "services"):
                yield from _named(one, (*path, key))


def _read(name: str, folder: Path | None) -> str:
    """The text of a template's file.

    Raises:
        ValueError: if it cannot be used; says why.
    """
    if folder is None:
        raise ValueError("a file is only found beside a policy file: write the text itself")
    try:
        path = (folder / name).resolve(strict=True)
        if not path.is_relative_to(folder.resolve()):
            raise ValueError("must be beside the policy file or below its folder")
        with path.open("rb") as file:
            text = file.read(4 * _MOST + 1).decode("utf-8").removesuffix("\n")
    except OSError as error:
        raise ValueError(f"the file cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError("the file is not UTF-8: save it in that encoding") from None
    if len(text) > _MOST or not text:
        raise ValueError(f"the file must have 1 to {_MOST} characters")
    return text
