"""The rule of a composite alarm: `ALARM("a") AND NOT (OK(b) OR TRUE)`.

NOT binds tighter than AND, AND tighter than OR. An alarm is given by name or ARN, quoted or
not. A function about an alarm that does not exist is false.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from sandbox.cloud.cloudwatch.errors import validation_error

_TOKEN = re.compile(
    r"\s*(?:(?P<state>ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*"
    r"(?:\"(?P<quoted>[^\"]+)\"|'(?P<single>[^']+)'|(?P<bare>[^\s()\"']+))\s*\)"
    r"|(?P<word>AND|OR|NOT|TRUE|FALSE)\b|(?P<bracket>[()]))"
)
_MAX_LENGTH = 10_240
_MAX_DEPTH = 50


@dataclass(frozen=True)
class InState:
    """Whether an alarm is in a state."""

    alarm: str
    state: str


@dataclass(frozen=True)
class Constant:
    """TRUE or FALSE."""

    value: bool


@dataclass(frozen=True)
class Not:
    """The opposite."""

    operand: "Rule"


@dataclass(frozen=True)
class AllOf:
    """AND."""

    operands: tuple["Rule", ...]


@dataclass(frozen=True)
class AnyOf:
    """OR."""

    operands: tuple["Rule", ...]


Rule = InState | Constant | Not | AllOf | AnyOf


_CONSTANTS = {"TRUE": Constant(True), "FALSE": Constant(False)}


@lru_cache(maxsize=256)
def parse_rule(text: str) -> Rule:
    """The rule that a text stands for; ValidationError if it stands for none."""
    if len(text) > _MAX_LENGTH:
        raise validation_error(f"AlarmRule must not exceed {_MAX_LENGTH} characters.")
    tokens: list[InState | str] = []
    position, stripped = 0, text.rstrip()
    while position < len(stripped):
        found = _TOKEN.match(stripped, position)
        if found is None:
            raise validation_error(f"AlarmRule is not valid at: {stripped[position:][:40]}")
        name = found["quoted"] or found["single"] or found["bare"]
        tokens.append(
            InState(_name_of(name), found["state"]) if name else found["word"] or found["bracket"]
        )
        position = found.end()
    return _Parser(tokens).whole()


def holds(rule: Rule, states: Mapping[str, str]) -> bool:
    """Whether a rule is true, given the states of alarms by name."""
    match rule:
        case InState(alarm, state):
            return states.get(alarm) == state
        case Constant(value):
            return value
        case Not(operand):
            return not holds(operand, states)
        case AllOf(operands):
            return all(holds(operand, states) for operand in operands)
        case AnyOf(operands):
            return any(holds(operand, states) for operand in operands)


def alarms_in(rule: Rule) -> frozenset[str]:
    """The names of the alarms a rule looks at."""
    match rule:
        case InState(alarm, _):
            return frozenset({alarm})
        case Not(operand):
            return alarms_in(operand)
        case AllOf(operands) | AnyOf(operands):
            return frozenset().union(*(alarms_in(operand) for operand in operands))
        case _:
            return frozenset()


def _name_of(alarm: str) -> str:
    return alarm.split(":alarm:", 1)[1] if alarm.startswith("arn:") else alarm


class _Parser:
    def __init__(self, tokens: list[InState | str]) -> None:
        self._tokens = tokens
        self._position = self._depth = 0

    def whole(self) -> Rule:
        rule = self._any_of()
        if self._position < len(self._tokens):
            raise validation_error("AlarmRule has something after its end.")
        return rule

    def _any_of(self) -> Rule:
        operands = [self._all_of()]
        while self._skip("OR"):
            operands.append(self._all_of())
        return operands[0] if len(operands) == 1 else AnyOf(tuple(operands))

    def _all_of(self) -> Rule:
        operands = [self._operand()]
        while self._skip("AND"):
            operands.append(self._operand())
        return operands[0] if len(operands) == 1 else AllOf(tuple(operands))

    def _operand(self) -> Rule:
        if self._position >= len(self._tokens) or self._depth >= _MAX_DEPTH:
            raise validation_error("AlarmRule ends too early or is nested too deeply.")
        token = self._tokens[self._position]
        self._position += 1
        if isinstance(token, InState):
            return token
        if token in _CONSTANTS:
            return _CONSTANTS[token]
        self._depth += 1
        rule = self._nested(token)
        self._depth -= 1
        return rule

    def _nested(self, opening: str) -> Rule:
        if opening == "NOT":
            return Not(self._operand())
        if opening != "(":
            raise validation_error(f"AlarmRule has {opening} where an operand should be.")
        rule = self._any_of()
        if not self._skip(")"):
            raise validation_error("AlarmRule lacks a closing bracket.")
        return rule

    def _skip(self, token: str) -> bool:
        if self._position < len(self._tokens) and self._tokens[self._position] == token:
            self._position += 1
            return True
        return False
