"""The JSON Schemas of pipelines, test files and transcripts, made from their models."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel, TypeAdapter

from llm_gc.language.pipeline import Pipeline
from llm_gc.language.steps import KINDS
from llm_gc.transcript.cases import CaseFile
from llm_gc.transcript.field_descriptions import DESCRIPTIONS
from llm_gc.transcript.records import Transcript

DIALECT = "https://json-schema.org/draft/2020-12/schema"
REF = "#/$defs/{model}"


@cache
def pipeline_schema() -> dict[str, Any]:
    """Return the JSON Schema of a pipeline document.

    A step is told apart by its key with one ``if``/``then`` for each kind, so that an error speaks about the step that
    was meant.
    """
    schema = Pipeline.model_json_schema(ref_template=REF)
    defs = schema.pop("$defs", {})
    for kind in KINDS.values():
        inner = kind.model_json_schema(ref_template=REF)
        defs.update(inner.pop("$defs", {}))
        defs[kind.__name__] = inner
    defs["step"] = _step_schema(KINDS)
    whole = {"required": schema.pop("required")}  # what extends another file need not be whole itself
    schema |= {"if": {"not": {"required": ["extends"]}}, "then": whole}
    return {"$schema": DIALECT, **_tidy({**schema, "$defs": dict(sorted(defs.items()))})}


@cache
def editor_schema() -> dict[str, Any]:
    """Return the schema of a pipeline with what the checks treat before they look at it.

    A null in a role undoes a default, and top-level keys that begin with ``x-`` hold anchors.
    """
    schema = pipeline_schema()
    role = schema["$defs"]["Role"]
    nullable = {key: _or_null(inner) for key, inner in role["properties"].items()}
    defs = {**schema["$defs"], "RoleOrNulls": {**role, "properties": nullable}}
    roles = {**schema["properties"]["roles"], "additionalProperties": {"$ref": REF.format(model="RoleOrNulls")}}
    properties = {**schema["properties"], "roles": roles}
    return {**schema, "properties": properties, "patternProperties": {"^x-": {}}, "$defs": defs}


@cache
def transcript_schema() -> dict[str, Any]:
    """Return the JSON Schema of a transcript."""
    schema = TypeAdapter(Transcript).json_schema(ref_template=REF, mode="serialization")
    for name, record in {Transcript.__name__: schema, **schema["$defs"]}.items():
        for field, inner in record["properties"].items():
            record["properties"][field] = inner | {"description": DESCRIPTIONS.get(name, {}).get(field, "")}
    return {"$schema": DIALECT, **_tidy(schema, with_null=True)}


@cache
def cases_schema() -> dict[str, Any]:
    """Return the JSON Schema of a test file."""
    return {"$schema": DIALECT, **_tidy(CaseFile.model_json_schema(ref_template=REF))}


SCHEMAS = {
    "pipeline.schema.json": editor_schema,
    "test.schema.json": cases_schema,
    "transcript.schema.json": transcript_schema,
}


def text_of(schema: dict[str, Any]) -> str:
    """Return a schema as it is in its file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _or_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a value that may be null, described as before."""
    value = {key: inner for key, inner in schema.items() if key != "description"}
    return {"description": schema.get("description", ""), "anyOf": [{"type": "null"}, value]}


def _step_schema(kinds: Mapping[str, type[BaseModel]]) -> dict[str, Any]:
    name = {"type": "string", "pattern": r"^[a-z][a-z0-9_]*$", "description": "The name of a role: it speaks once."}
    chosen = [
        {"if": {"type": "object", "required": [key]}, "then": {"$ref": f"#/$defs/{kind.__name__}"}}
        for key, kind in kinds.items()
    ]
    has_kind = {"if": {"type": "object"}, "then": {"oneOf": [{"required": [key]} for key in kinds]}}
    return {
        "description": f"A role's name, or a map with one of: {', '.join(kinds)}.",
        "type": ["string", "object"],
        "allOf": [{"if": {"type": "string"}, "then": name}, has_kind, *chosen],
    }


def _tidy(node: Any, *, with_null: bool = False) -> Any:
    """Drop pydantic's titles, point at the step's schema, and let the marks for templates go."""
    if isinstance(node, list):
        return [_tidy(item, with_null=with_null) for item in node]
    if not isinstance(node, dict):
        return node
    if node.get("x-llm-gc") == "step":
        return {"$ref": "#/$defs/step"}
    node = dict(node) if with_null else _without_null(node)
    if "patternProperties" in node:  # pydantic would let names that do not match the pattern pass
        ((pattern, inner),) = node.pop("patternProperties").items()
        node |= {"propertyNames": {"pattern": pattern}, "additionalProperties": inner}
    return {
        key: {name: _tidy(inner, with_null=with_null) for name, inner in value.items()}
        if key in ("properties", "$defs")
        else _tidy(value, with_null=with_null)
        for key, value in node.items()
        if not (key == "title" and isinstance(value, str)) and key not in ("x-llm-gc", "discriminator")
    }


def _without_null(node: dict[str, Any]) -> dict[str, Any]:
    """Leave out that an optional key may be null: in a document a key without a value is a mistake."""
    node = dict(node)
    if {"type": "null"} in node.get("anyOf", []) and "default" in node:
        rest = [branch for branch in node.pop("anyOf") if branch != {"type": "null"}]
        node = {**(rest[0] if len(rest) == 1 else {"anyOf": rest}), **node}
    if "default" in node and node["default"] is None:
        del node["default"]
    return node
