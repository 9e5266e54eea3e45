"""Templates: what they can do, and what they cannot, whoever writes them."""

import json
import time
from contextlib import suppress
from typing import Any

import pytest

from lastgood.decisions.rendering.slack import slack_escape
from lastgood.decisions.sample_notices import samples
from lastgood.message_templates import (
    VARIABLES,
    BrokenTemplateError,
    problems,
    render,
    values_of,
)

HELD = next(one for one in samples() if one.kind == "held")
VALUES = values_of(HELD)


def test_a_template_sees_what_is_documented() -> None:
    assert list(VALUES) == list(VARIABLES)
    text = "\n".join(f"{{{{ {name} }}}}" for name in VARIABLES)
    assert problems(text, samples()) == []


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("{{ service }}/{{ release | upper }}", "shop/web/RUN-17"),
        ("{{ fact['Started by'] }} {{ fact.Service }}", "ci shop/web"),
        ("{{ fact['Nope'] | default('none') }}", "none"),
        ("{{ outcome or kind }}", "held"),
        ("{% if severity == 'critical' %}!{% elif severity == 'warning' %}?{% endif %}", "?"),
        ("{{ facts | map(attribute='label') | join('+') | truncate(15, true, '', 0) }}",
         "Service+Release"),
        ("{% for f in facts if f.label == 'Service' %}{{ loop.index }}{{ f.value }}{% endfor %}",
         "1shop/web"),
        ("{% if 'Measured' in fact %}yes{% else %}no{% endif %}", "no"),
        ("a\n{% if true %}\nb\n{% endif %}\nc\n", "a\nb\nc"),
        ("{{ facts[0].label ~ ':' }}", "Service:"),
        ("{{ release | replace('run', 'walk') }}", "walk-17"),
        ("{# nothing #}{% raw %}{{ x }}{% endraw %}", "{{ x }}"),
    ],
)  # fmt: skip
def test_what_a_template_can_do(text: str, made: str) -> None:
    assert problems(text, [HELD]) == []
    assert render(text, VALUES) == made


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("{{ servce }}", 1, "unknown variable servce; did you mean service?"),
        ("a\nb {{ env }}", 2, "unknown variable env; known: service, release"),
        ("a\n\n{{ title | uper }}", 3, "unknown filter uper; did you mean upper?"),
        ("{{ title is odd }}", 1, "unknown test odd"),
        ("{% set a = 1 %}", 1, "{% set %} is not possible here: messages have if, for and filters"),
        ("{{ title.upper() }}", 1, "a call with () is not possible here"),
        ("{% include 'x' %}", 1, "{% include %} is not possible here"),
        ("{% macro m() %}{% endmacro %}", 1, "{% macro %} is not possible here"),
        ("{{ 'x' * 9 }}", 1, "mul is not possible here"),
        ("{% for a in facts %}{% for b in facts %}{% endfor %}{% endfor %}", 1, "within a loop"),
        ("x\n{% if x", 2, "unexpected end of template"),
        ("x\n{{ fact['Nope'] }}", 2, 'write fact["Label"] | default'),
        ("{{ facts[99].label }}", 1, "no element 99"),
        ("{{ title.nope }}", 1, "has no attribute 'nope'"),
        ("{{ " + "(" * 1500 + "1" + ")" * 1500 + " }}", 1, "nested too deeply"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, line: int, said: str) -> None:
    first = problems(text, samples())[0]
    assert (first.line, said in first.message) == (line, True), first


def test_what_fails_for_some_kinds_alone_is_found_with_the_kind() -> None:
    text = "{% if kind == 'reminder' %}{{ fact['Nope'] }}{% endif %}"
    assert "for a notice of the kind reminder" in problems(text, samples())[0].message


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ('{"text": {{ title | tojson }}}', True),
        ('{"all": {{ facts | tojson }}}', True),
        ('{"text": "{{ title }}"}', False),
        ('{"by": "{{ fact["Started by"] }}"}', False),
        ("{{ title }}", False),
    ],
)
def test_a_webhooks_template_makes_json_whatever_is_inserted(text: str, good: bool) -> None:
    found = problems(text, samples(), as_json=True)
    assert (found == []) is good
    if good:
        assert json.loads(render(text, VALUES))
    else:
        assert "is not JSON: write values as {{ title | tojson }}" in found[0].message


ESCAPES = [
    "{{ ''.__class__.__mro__ }}",
    "{{ title.__class__ }}",
    "{{ title['__class__'] }}",
    "{{ title.format }}",
    "{{ facts | map(attribute='__class__') | join }}",
    "{{ facts | map('attr', '__class__') | join }}",
    "{{ (title | first).__init__.__globals__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ cycler.__init__.__globals__.os.environ }}",
    "{{ lipsum.__globals__ }}",
    "{% for x in ().__class__.__base__.__subclasses__() %}{% endfor %}",
    "{{ loop }}",
    "{% for f in facts %}{{ loop.__class__ }}{% endfor %}",
    "{% for f in facts %}{{ loop.changed }}{% endfor %}",
]


@pytest.mark.parametrize("text", ESCAPES)
def test_no_template_reaches_what_it_was_not_given(text: str) -> None:
    assert problems(text, samples())
    with pytest.raises(BrokenTemplateError):
        render(text, VALUES)


BOMBS = [
    "{{ summary" + " | join(summary)" * 200 + " }}",
    "{{ summary" + " | join(summary)" * 50 + " }}",
    "{{ summary" + " | replace('e', summary)" * 150 + " }}",
    "{{ summary" + " | replace('e', 'ee')" * 90 + " }}",
    "{% for a in summary %}{{ summary }}{% endfor %}" * 80,
    "{{ " + " ~ ".join(["summary"] * 390) + " }}",
    "{{ facts | map('join', summary) | join(summary) }}",
]


@pytest.mark.parametrize("text", BOMBS)
def test_no_template_takes_long_or_grows_without_bounds(text: str) -> None:
    began = time.process_time()
    values: dict[str, Any] = VALUES | {"summary": "e" * 3000}
    assert len(text) <= 4000
    with suppress(BrokenTemplateError):  # nested too deeply
        assert len(render(text, values)) <= 30_000
    assert time.process_time() - began < 5


def test_what_is_inserted_is_escaped_and_the_templates_own_text_is_not() -> None:
    values = VALUES | {"title": "<!channel> @here & <http://evil.test|click>"}
    shown = render("<!subteam^S1> {{ title }} {{ '<' ~ title }}", values, slack_escape)
    assert shown.startswith("<!subteam^S1> &lt;!channel&gt; @\u2060here &amp; &lt;http")
    assert "<" not in shown.removeprefix("<!subteam^S1>")
