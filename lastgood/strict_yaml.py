"""YAML without surprises: what is written is what is meant, or it is an error with its line.

The rule. One document, at most 64 KiB and 32 levels deep, of mappings with unique text keys, lists
and scalars. No anchors, aliases, merge keys, tags or directives: nothing expands, nothing
is constructed. Outside of quotes only ``true``, ``false`` and plain decimal numbers are not text;
whatever some YAML reader would take for something else (``yes``, ``~``, ``010``, ``1e3``,
``12:30:45``, dates, an empty value) must be written otherwise.

Messages never repeat a value, for it may be a secret in the wrong place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml
from yaml import events

MAX_BYTES = 64 * 1024
MAX_DEPTH = 32
TOO_LARGE = f"the file is larger than {MAX_BYTES // 1024} KiB: a policy is short"

Path = tuple[str | int, ...]


class Fault(NamedTuple):
    """One thing wrong with the text."""

    line: int | None
    path: Path
    message: str


@dataclass
class Document:
    """What was read, and what was wrong with it."""

    data: Any = None
    """Mappings, lists, text, numbers and booleans; ``BROKEN`` where a fault is."""
    lines: dict[Path, int] = field(default_factory=dict)
    """The line of each key, and of each item of a list."""
    faults: list[Fault] = field(default_factory=list)
    complete: bool = True
    """False: reading stopped at the last fault."""

    def line(self, path: Path) -> int | None:
        """The line of a key, or else of the mapping that it belongs to."""
        while path not in self.lines and path:
            path = path[:-1]
        return self.lines.get(path)


class _Broken:
    """Stands where a value could not be read."""


BROKEN = _Broken()

_NUMBER = "write a plain decimal number such as 10 or 0.5, or put it in quotes if it is text"
_BOOLEAN = "write true or false, or put it in quotes if it is text"
_NOTHING = "says nothing: leave the key out, or put it in quotes if it is text"
_SEXAGESIMAL = "some readers take this for a number: put it in quotes, or write one such as 90s"
_DATE = "some readers take this for a date: put it in quotes"
_REFUSED = {
    re.compile(r"(?i:true|false|yes|no|on|off|y|n)"): _BOOLEAN,
    re.compile(r"(?i:null)|~|="): _NOTHING,
    re.compile(r"[-+]?\.(?i:inf|nan)"): _NUMBER,
    re.compile(r"[-+]?(?=\.?[0-9])[0-9_]*(\.[0-9_]*)?([eE][-+]?[0-9]+)?"): _NUMBER,
    re.compile(r"[-+]?0[xXoObB][0-9a-fA-F_]+"): _NUMBER,
    re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?"): _SEXAGESIMAL,
    re.compile(r"[0-9]{4}-[0-9][0-9]?-[0-9][0-9]?([Tt \t].*)?"): _DATE,
}
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,17})\.[0-9]{1,18}")
_HINTS = {
    "mapping values are not allowed here": "put a value that contains ': ' in quotes, "
    "and check the indentation",
    "found character '\\t' that cannot start any token": "indent with spaces, not with tabs",
}


def read(text: str) -> Document:
    """Read a document, with every fault that is in it. Raises nothing, whatever the text."""
    document = Document()
    if len(text.encode(errors="surrogatepass")) > MAX_BYTES:
        document.faults.append(Fault(None, (), TOO_LARGE))
        document.complete = False
        return document
    try:
        _Reader(text, document).read()
    except _StopReadingError as stop:
        document.faults.append(stop.fault)
        document.complete = False
    return document


class _StopReadingError(Exception):
    """Raised when the rest of the text cannot be judged."""

    def __init__(self, line: int | None, path: Path, message: str) -> None:
        super().__init__(message)
        self.fault = Fault(line, path, message)


class _Reader:
    """Builds the data from the parser's events; the recursion is bounded by ``MAX_DEPTH``."""

    def __init__(self, text: str, document: Document) -> None:
        self.document = document
        self.events = _events(text)
        self.depth = 0

    def read(self) -> None:
        for event in self.events:
            if isinstance(event, events.DocumentStartEvent):
                if event.version or event.tags:
                    self._fault(event, (), "directives (%) are not allowed: leave them out")
                break
        else:
            return
        first = next(self.events)
        self.document.lines[()] = _line(first)
        if _is_nothing(first):
            return
        self.document.data = self._node(first, ())
        for event in self.events:
            if isinstance(event, events.DocumentStartEvent):
                self._fault(event, (), "a second document begins: one file, one document")
                return

    def _node(self, event: Any, path: Path) -> Any:
        if isinstance(event, events.AliasEvent):
            self._fault(event, path, "aliases (*) are not allowed: write the value out")
            return BROKEN
        refused = bool(event.anchor or event.tag)
        if event.anchor:
            self._fault(event, path, "anchors (&) are not allowed: write the value out")
        if event.tag:
            self._fault(event, path, "tags (!) are not allowed: leave them out")
        if isinstance(event, events.ScalarEvent):
            return BROKEN if refused else self._scalar(event, path)
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _StopReadingError(_line(event), (), f"nested more than {MAX_DEPTH} levels deep")
        mapping = isinstance(event, events.MappingStartEvent)
        value = self._mapping(path) if mapping else self._sequence(path)
        self.depth -= 1
        return BROKEN if refused else value

    def _sequence(self, path: Path) -> list[Any]:
        values: list[Any] = []
        while not isinstance(event := next(self.events), events.SequenceEndEvent):
            item = (*path, len(values))
            self.document.lines.setdefault(item, _line(event))
            values.append(self._node(event, item))
        return values

    def _mapping(self, path: Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while not isinstance(event := next(self.events), events.MappingEndEvent):
            key = self._key(event, path)
            if key is None:
                known = len(self.document.faults)
                self._node(next(self.events), path)
                del self.document.faults[known:]
                continue
            here = (*path, key)
            if key in values:
                first = self.document.lines[here]
                self._fault(event, here, f"duplicate key, first on line {first}: keep one of them")
            self.document.lines.setdefault(here, _line(event))
            value = self._node(next(self.events), here)
            values.setdefault(key, value)
        return values

    def _key(self, event: Any, path: Path) -> str | None:
        """The key, or None where it is none."""
        if isinstance(event, events.ScalarEvent) and event.value == "<<" and event.style is None:
            self._fault(event, path, "merge keys (<<) are not allowed: write the keys out")
            return None
        known = len(self.document.faults)
        key = self._node(event, path)
        if isinstance(key, str):
            return key
        if isinstance(event, events.ScalarEvent) and not event.anchor and not event.tag:
            del self.document.faults[known:]
            self._fault(event, path, "a key must be text: put it in quotes")
        elif not isinstance(event, events.ScalarEvent | events.AliasEvent):
            self._fault(event, path, "a key must be text, not a list or a mapping")
        return None

    def _scalar(self, event: Any, path: Path) -> Any:
        text: str = event.value
        if event.style is not None:
            return text
        if text in ("true", "false"):
            return text == "true"
        if _INTEGER.fullmatch(text):
            return int(text)
        if _DECIMAL.fullmatch(text):
            return float(text)
        if not text:
            self._fault(event, path, "has no value: write one, or leave the key out")
            return BROKEN
        for shape, remedy in _REFUSED.items():
            if shape.fullmatch(text):
                self._fault(event, path, remedy)
                return BROKEN
        return text

    def _fault(self, event: Any, path: Path, message: str) -> None:
        self.document.faults.append(Fault(_line(event), path, message))


def _events(text: str) -> Iterator[Any]:
    """The parser's events; its errors become one plain sentence.

    PyYAML raises bare ValueErrors for escapes and versions beyond all measure.
    """
    loader: Any = None
    try:
        loader = yaml.SafeLoader(text)
        while loader.check_event():
            yield loader.get_event()
    except yaml.reader.ReaderError as error:
        before = text.count("\n", 0, error.position)
        raise _StopReadingError(before + 1, (), "a control character: take it out") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        raise _StopReadingError(line, (), _syntax(error.problem or "")) from None
    except (ValueError, OverflowError):
        message = "not valid YAML: an escape or number out of range"
        raise _StopReadingError(loader.line + 1, (), message) from None


def _syntax(problem: str) -> str:
    if "tag" in problem:
        return "tags (!) are not allowed: leave them out"
    hint = _HINTS.get(problem)
    return f"not valid YAML: {hint or problem}"


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _is_nothing(event: Any) -> bool:
    """An empty document, or one of comments alone."""
    plain = isinstance(event, events.ScalarEvent) and event.style is None
    return plain and not (event.value or event.anchor or event.tag)
