"""The JSON Schema of the policy file, for editors and other tools."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from lastgood.group_policy import GroupPolicy
from lastgood.policy import Policy
from lastgood.values import format_duration


def schema() -> dict[str, Any]:
    """The schema of one service's file, in draft 2020-12."""
    return _of(Policy, "Lastgood policy")


def group_schema() -> dict[str, Any]:
    """The schema of a group's file."""
    return _of(GroupPolicy, "Lastgood policy of a group")


def _of(file: type[Policy] | type[GroupPolicy], title: str) -> dict[str, Any]:
    generated = file.model_json_schema(by_alias=True, schema_generator=_FileSchema)
    return {"$schema": GenerateJsonSchema.schema_dialect, **generated, "title": title}


class _FileSchema(GenerateJsonSchema):
    """pydantic's schema, as the file is: no nulls, durations as text, a trigger has its type."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        generated = super().default_schema(schema)
        if "default" in generated:
            default = _without_nulls(generated.pop("default"))
            generated |= {} if default is None else {"default": default}
        return generated

    def encode_default(self, dft: Any) -> Any:
        return format_duration(dft) if isinstance(dft, timedelta) else super().encode_default(dft)

    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> JsonSchemaValue:
        generated = super().tagged_union_schema(schema)
        generated.pop("discriminator", None)  # OpenAPI's, unknown to JSON Schema
        return generated

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        generated = super().model_schema(schema)
        if "const" in generated["properties"].get("type", {}):
            generated["required"] = ["type", *generated.get("required", [])]
        return generated


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(one) for key, one in value.items() if one is not None}
    return [_without_nulls(one) for one in value] if isinstance(value, list) else value
