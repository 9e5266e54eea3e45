"""Strict YAML: what is written is what is meant, whatever the text, and soon."""

import time

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lastgood import policy_file
from lastgood.errors import PolicyError
from lastgood.policy import Policy
from lastgood.policy_file import parse
from lastgood.strict_yaml import MAX_BYTES

BOOLEANS = ["yes", "no", "on", "off", "Yes", "NO", "True", "FALSE", "y", "n"]
NOTHINGS = ["~", "null", "Null", "="]
NUMBERS = ["010", "08", "0x1F", "0o17", "0b1", "1_000", "+5", ".5", "5.", "1e3", "1.5E-3"]
NUMBERS += [".nan", ".inf", "-.INF", "12345678901234567890"]
TIMES = ["12:30:45", "1:30", "2020-01-01", "2020-01-01T10:00:00Z"]

PIECES = [" ", ": ", ":", "\n", "\n  ", "- ", "[", "]", "{", "}", ",", "#", "'", '"', "|", ">"]
PIECES += ["&x", "*x", "!t", "<<", "? ", "%", "---", "...", "\t", "\\", "\x00", "\ud800", "\x85"]
PIECES += ["service", "triggers", "type", "alarm", "error-rate", "5%", "10m", "010", "~", "notify"]
TEXTS = st.one_of(st.text(), st.lists(st.sampled_from(PIECES), max_size=60).map("".join))


def answer(text: str) -> str:
    """What is said about a text; empty if it is a policy."""
    try:
        parse(text)
    except PolicyError as error:
        return str(error)
    return ""


def bomb() -> str:
    """A billion leaves, for those who follow aliases."""
    rows = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9) if n else 'x'}]" for n in range(9)]
    return "\n".join(rows)


@pytest.mark.parametrize("value", [*BOOLEANS, *NOTHINGS, *NUMBERS, *TIMES])
def test_what_other_readers_take_for_something_else_must_be_quoted(value: str) -> None:
    said = answer(f"service: a/b\ncontainer: {value}")
    assert said.startswith("lastgood.yaml:2: container: ")
    assert "quotes" in said
    assert not answer(f"service: a/b\ntriggers: [{{type: alarm, alarm: '{value}'}}]")


@pytest.mark.parametrize("value", ["1", "-1", "0", "0.5", "-0.5", "true", "false"])
def test_plain_numbers_and_booleans_are_no_text(value: str) -> None:
    said = answer(f"service: a/b\ncontainer: {value}")
    assert said == "lastgood.yaml:2: container: must be text: put it in quotes"


@pytest.mark.parametrize(
    "value", ["10.0.0.1", "1.2.3", "v1", "yesterday", "0-9", "1h30m", "é", "n/a"]
)
def test_text_needs_no_quotes(value: str) -> None:
    assert not answer(f"service: a/b\ntriggers: [{{type: alarm, alarm: {value}}}]")


def test_a_bomb_does_not_go_off() -> None:
    started = time.process_time()
    said = answer(bomb())
    assert "anchors (&) are not allowed" in said
    assert "aliases (*) are not allowed" in said
    assert time.process_time() - started < 2


@pytest.mark.parametrize("piece", ["[", "[{", "- - - -\n", "1:"])
def test_64_kib_of_anything_is_answered_soon(piece: str) -> None:
    started = time.process_time()
    assert policy_file.check_text((piece * MAX_BYTES)[:MAX_BYTES]).problems
    assert time.process_time() - started < 8


@settings(max_examples=150, deadline=None)
@given(TEXTS)
def test_no_text_raises_anything_but_a_policy_error(text: str) -> None:
    said = answer(text)
    assert said.encode() == b"" or all(
        line.startswith("lastgood.yaml:") for line in said.split("\n")
    )


@settings(max_examples=50, deadline=None)
@given(TEXTS)
def test_no_text_takes_long(text: str) -> None:
    repeated = (text * 2000)[:2000]
    started = time.process_time()
    answer(repeated)
    assert time.process_time() - started < 2


VALUES = st.recursive(
    st.one_of(st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.none()),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*Policy.model_fields, "type", "url"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(list(Policy.model_fields)), VALUES, max_size=4))
def test_every_kind_of_error_has_a_sentence(data: dict[str, object]) -> None:
    assert "see `lastgood policy schema`" not in answer(yaml.safe_dump(data))
