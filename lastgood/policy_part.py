"""What all mappings of a policy file have in common: their keys and no others."""

from __future__ import annotations

from typing import NoReturn

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError


class Part(BaseModel):
    """A mapping of the file: its keys and no others."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )


def refuse(*problems: tuple[str, str]) -> NoReturn:
    """Refuse a combination of keys, each problem as (dotted key, what is wrong and the remedy)."""
    raise PydanticCustomError(
        "policy",
        "{text}",
        {"text": "; ".join(f"{key}: {what}" for key, what in problems), "problems": problems},
    )
