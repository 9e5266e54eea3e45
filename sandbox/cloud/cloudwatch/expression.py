"""Metric math as text: from an expression such as `IF(FILL(m1, 0) > 5, m2)` to a tree.

Grammar, loosest first: `||`/OR, `&&`/AND, comparisons, `+ -`, `* /`, `^`, unary minus,
numbers, ids, strings, arrays `[a, b]`, calls `NAME(a, b)`, parentheses.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from sandbox.cloud.cloudwatch.errors import validation_error

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<string>\"[^\"]*\"|'[^']*')|(?P<operator><=|>=|==|!=|&&|\|\||[-+*/^<>(),\[\]]))"
)
_LEVELS = (
    ("||", "OR"),
    ("&&", "AND"),
    ("<", "<=", ">", ">=", "==", "!="),
    ("+", "-"),
    ("*", "/"),
    ("^",),
)
_MAX_LENGTH = 2048
_MAX_DEPTH = 60


@dataclass(frozen=True)
class Number:
    """A constant."""

    value: float


@dataclass(frozen=True)
class Name:
    """The id of another query, or a bare word such as REPEAT."""

    text: str


@dataclass(frozen=True)
class Text:
    """A quoted string."""

    text: str


@dataclass(frozen=True)
class Array:
    """Several nodes side by side."""

    items: tuple["Node", ...]


@dataclass(frozen=True)
class Binary:
    """Two nodes joined by an operator."""

    operator: str
    left: "Node"
    right: "Node"


@dataclass(frozen=True)
class Call:
    """A function with its arguments; its name in capitals."""

    function: str
    arguments: tuple["Node", ...]


Node = Number | Name | Text | Array | Binary | Call


@lru_cache(maxsize=512)
def parse(expression: str) -> Node:
    """The tree of an expression; ValidationError where it has none."""
    if len(expression) > _MAX_LENGTH:
        raise validation_error(f"Expression is longer than {_MAX_LENGTH} characters.")
    parser = _Parser(list(_tokens(expression)), expression)
    node = parser.level(0)
    if parser.peek() is not None:
        raise parser.fault()
    return node


def ids_in(node: Node) -> frozenset[str]:
    """The names an expression mentions."""
    match node:
        case Name(text):
            return frozenset({text})
        case Array(items) | Call(_, items):
            return frozenset().union(*(ids_in(item) for item in items))
        case Binary(_, left, right):
            return ids_in(left) | ids_in(right)
        case _:
            return frozenset()


def _tokens(expression: str) -> Iterator[tuple[str, str]]:
    position, text = 0, expression.rstrip()
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None or found.lastgroup is None:
            raise validation_error(f"Error in expression '{expression}': unexpected character.")
        yield found.lastgroup, found[found.lastgroup]
        position = found.end()


class _Parser:
    def __init__(self, tokens: list[tuple[str, str]], expression: str) -> None:
        self._tokens, self._expression = tokens, expression
        self._position = self._depth = 0

    def fault(self) -> Exception:
        return validation_error(f"Error in expression '{self._expression}': it does not parse.")

    def peek(self) -> str | None:
        if self._position >= len(self._tokens):
            return None
        kind, text = self._tokens[self._position]
        return text.upper() if kind == "name" and text.upper() in ("AND", "OR") else text

    def level(self, level: int) -> Node:
        if level == len(_LEVELS):
            return self._atom()
        node = self.level(level + 1)
        while (operator := self.peek()) in _LEVELS[level]:
            self._position += 1
            node = Binary(str(operator), node, self.level(level + 1))
        return node

    def _take(self) -> tuple[str, str]:
        if self._position >= len(self._tokens):
            raise self.fault()
        self._position += 1
        return self._tokens[self._position - 1]

    def _atom(self) -> Node:
        kind, text = self._take()
        if kind == "number":
            return Number(float(text))
        if kind == "string":
            return Text(text[1:-1])
        if kind == "name" and self.peek() != "(":
            return Name(text)
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise self.fault()
        node = self._call(text) if kind == "name" else self._enclosed(text)
        self._depth -= 1
        return node

    def _call(self, function: str) -> Node:
        self._position += 1
        return Call(function.upper(), self._list_until(")"))

    def _enclosed(self, opening: str) -> Node:
        if opening == "-":
            return Binary("-", Number(0.0), self.level(len(_LEVELS) - 1))
        if opening == "[":
            return Array(self._list_until("]"))
        if opening != "(":
            raise self.fault()
        node = self.level(0)
        if self._take()[1] != ")":
            raise self.fault()
        return node

    def _list_until(self, closing: str) -> tuple[Node, ...]:
        items: list[Node] = []
        if self.peek() == closing:
            self._position += 1
            return ()
        while True:
            items.append(self.level(0))
            separator = self._take()[1]
            if separator == closing:
                return tuple(items)
            if separator != ",":
                raise self.fault()
