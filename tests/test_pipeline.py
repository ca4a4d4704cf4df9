"""The typed models: what they take, what they refuse, and what becomes of their templates before a conversation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from llm_gc.errors import TemplateError
from llm_gc.files.locations import pipelines_in
from llm_gc.language.fields import is_schema, schema_of
from llm_gc.language.pipeline import LOAD_OPTIONS, Pipeline
from llm_gc.project import document
from llm_gc.source import load
from llm_gc.templates import Templates
from llm_gc.values.frozen import freeze
from tests.talks import pipeline

ROOT = Path(__file__).parent.parent


def castings(roles: dict[str, Any], **inputs: Any) -> dict[str, Any]:
    """Return how roles are played, their templates rendered over inputs."""
    templates = Templates()

    def render(_path: Any, value: Any) -> Any:
        return templates.template(value)(freeze(inputs).__getitem__) if isinstance(value, str) else value

    return pipeline([next(iter(roles))], roles).castings(render)


@pytest.mark.parametrize("file", pipelines_in(ROOT / "pipelines"), ids=lambda file: file.stem)
def test_a_pipeline_and_its_document(file: Path) -> None:
    """What is typed can be written as a document again, and read from it as the same."""
    data = load(file.read_text(encoding="utf-8"), file.name).data
    if "extends" in data:
        pytest.skip("it is no whole document")
    typed = Pipeline.model_validate(data)
    assert Pipeline.model_validate(document(typed)) == typed


def test_models_cannot_be_changed() -> None:
    """Nobody changes a pipeline while it runs."""
    typed = pipeline(["anna"])
    with pytest.raises(ValidationError):
        typed.name = "other"  # type: ignore[misc]
    with pytest.raises(ValidationError):
        typed.roles["anna"].model = "other"  # type: ignore[misc]


@pytest.mark.parametrize("value", ["3", True, 2.5, "ten", None, [3], -1])
def test_nothing_is_converted(value: Any) -> None:
    """A text is no number, and true is not one."""
    with pytest.raises(ValidationError):
        pipeline(["anna"], limits={"max_turns": value})


@pytest.mark.parametrize("value", [3, 3.0, "{{ n }}", "{% if n %}3{% endif %}", "n.j2"])
def test_what_is_a_count(value: Any) -> None:
    """A whole number, also one with a point as JSON Schema has it; or a template."""
    assert pipeline(["anna"], limits={"max_turns": value}).limits.max_turns in (3, value)


def test_templates_of_a_role_are_rendered_over_the_inputs() -> None:
    """And are numbers then, however they were written."""
    role = {"model": "{{ name }}:1b", "temperature": "{{ hot / 2 }}", "num_ctx": "{{ size }}000", "seed": "{{ seed }}",
            "max_tokens": "{{ size * 10.0 }}", "options": {"top_k": 3}}  # fmt: skip
    casting = castings({"anna": role}, name="tiny", hot=1, size=4, seed=7)["anna"]
    assert casting.model == "tiny:1b"
    assert casting.options == {"temperature": 0.5, "num_ctx": 4000, "top_k": 3}
    assert (casting.max_tokens, type(casting.max_tokens), casting.seed) == (40, int, 7)


@pytest.mark.parametrize(
    ("key", "template", "message"),
    [
        ("temperature", "{{ 'hot' }}", "this gives 'hot', and a number was expected"),
        ("temperature", "{{ -1 }}", "this gives -1, and at least 0 was expected"),
        ("num_ctx", "{{ 2.5 }}", "this gives 2.5, and a whole number was expected"),
        ("num_ctx", "{{ 0 }}", "this gives 0, and at least 1 was expected"),
        ("max_tokens", "{{ true }}", "this gives True, and a whole number was expected"),
        ("seed", "{{ none }}", "this gives nothing, and a whole number was expected"),
        ("model", "{{ '' }}", "this gives no name of a model"),
    ],
)
def test_a_setting_that_gives_no_such_thing(key: str, template: str, message: str) -> None:
    """Is told before the first turn, with its place, and not by the server in the middle."""
    with pytest.raises(TemplateError) as caught:
        castings({"anna": {key: template}})
    assert caught.value.message == message
    assert caught.value.path == ("roles", "anna", key)


def test_load_options_are_one_set_per_model() -> None:
    """A role that leaves one open takes its model's largest; another model or server does not count."""
    cast = castings({
        "anna": {"num_ctx": 4096},
        "ben": {"num_ctx": 8192, "options": {"num_gpu": 2, "top_k": 9}},
        "carl": {},
        "dora": {"model": "other"},
        "emil": {"host": "http://elsewhere"},
    })  # fmt: skip
    assert "num_gpu" in LOAD_OPTIONS
    assert {name: dict(casting.options) for name, casting in cast.items()} == {
        "anna": {"num_ctx": 4096, "num_gpu": 2},
        "ben": {"num_ctx": 8192, "num_gpu": 2, "top_k": 9},
        "carl": {"num_ctx": 8192, "num_gpu": 2},
        "dora": {},
        "emil": {},
    }


SCHEMAS: list[dict[str, Any]] = [
    {"type": "object"},
    {"type": ["object", "null"]},
    {"properties": {"approved": {"type": "boolean"}}},
    {"properties": {"type": {"type": "string"}, "items": {}}},
    {"enum": ["a", "b"]},
    {"const": 3},
    {"anyOf": [{"type": "object"}]},
    {"$ref": "#/$defs/x", "$defs": {"x": {}}},
    {"$defs": {}, "properties": {}},
    {"additionalProperties": {"type": "string"}},
    {"required": ["a"], "properties": {"a": {}}},
    {"title": "A verdict", "properties": {"a": {"type": "string"}}},
    {"description": "A verdict", "approved": {"type": "boolean"}},
]

SHORT: list[dict[str, Any]] = [
    {"approved": {"type": "boolean"}},
    {"type": {"type": "string"}},
    {"items": {"type": "array", "items": {"type": "string"}}},
    {"enum": {"type": "string"}, "const": {"type": "string"}, "not": {}},
    {"properties": {"type": "object"}},
    {"properties": {"enum": ["a", "b"]}, "required": {"type": "boolean"}},
    {"title": {"type": "string"}, "description": {"type": "string"}},
    {"minimum": {"type": "number"}, "maximum": {"type": "number"}},
    {"if": {"type": "string"}, "then": {"type": "string"}},
]


@pytest.mark.parametrize("format_", SCHEMAS, ids=str)
def test_a_format_that_is_a_schema(format_: dict[str, Any]) -> None:
    """It is sent as it is."""
    assert is_schema(format_)
    assert schema_of(format_) == format_


@pytest.mark.parametrize("format_", SHORT, ids=str)
def test_a_format_that_is_short_for_one(format_: dict[str, Any]) -> None:
    """A map of properties, all required, though they be called like keywords."""
    assert not is_schema(format_)
    assert schema_of(format_) == {"type": "object", "properties": format_, "required": list(format_)}


def test_other_formats() -> None:
    """`json` is any object; none is none."""
    assert schema_of("json") == {"type": "object"}
    assert schema_of(None) is None
