"""The first policy file: every key once, with its comment, its default or an example."""

import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from lastgood import strict_yaml
from lastgood.policy import Policy, models_in, tag_of
from lastgood.policy_file import parse
from lastgood.policy_template import render


def uncommented(text: str) -> str:
    """The file with every key that is only shown."""
    shown = re.sub(r"^( *)# ( *(- )?[a-z_0-9]+:( |$))", r"\1\2", text, flags=re.MULTILINE)
    assert shown != text
    return shown


def keys_of(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Every key of the models, a trigger's with its type."""
    for name, info in model.model_fields.items():
        key = f"{prefix}{info.alias or name}"
        yield key
        models = list(models_in(info.annotation))
        for inner in models:
            kind = f"[{tag_of(inner)}]" if len(models) > 1 else ""
            yield from keys_of(inner, f"{key}{kind}.")


def keys_in(data: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in data.items():
        key = f"{prefix}{name}"
        yield key
        if name == "dimensions":
            continue
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, dict):
                kind = f"[{inner['type']}]" if "type" in inner else ""
                yield from keys_in(inner, f"{key}{kind}.")


def test_the_first_file_shows_every_key_once() -> None:
    document = strict_yaml.read(uncommented(render()))
    assert document.faults == []
    assert sorted(keys_in(document.data)) == sorted(keys_of(Policy))


def test_every_key_has_its_comment_on_its_line() -> None:
    lines = [line for line in render().splitlines() if re.match(r" *(# )? *(- )?[a-z_0-9]+:", line)]
    assert len(lines) == len(list(keys_of(Policy)))
    assert [line for line in lines if not re.search(r" # [\w./>]", line[3:])] == []


def test_the_first_file_has_the_defaults() -> None:
    assert parse(render()) == Policy(service="my-cluster/my-service")


def test_its_examples_are_valid_too() -> None:
    """All of them at once, but for the choices that exclude each other."""
    text = uncommented(render())
    others = "load_balancer|target_group|datapoints|consecutive|raw"
    text = re.sub(rf"^    ({others}):.*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"^    (token|channel|at_least|template):.*\n", "", text, flags=re.MULTILINE)
    text = text.replace("baseline: before ", "baseline: fixed ", 1)
    parsed = parse(text.replace("via: ses ", "via: smtp"))
    assert len(parsed.triggers) == 6
    assert parsed.notify.email


VALUES = {
    "service": "shop/web",
    "container": "app",
    "triggers": [
        {"type": "error-rate", "load_balancer": "lb", "target_group": "tg"},
        {"type": "alarm", "alarm": "shop: web #1 'ü'"},
        {"type": "alarm", "alarm": "010"},
    ],
}


def test_what_was_found_is_filled_in() -> None:
    assert parse(render(VALUES)) == Policy.model_validate(VALUES)
