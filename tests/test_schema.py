"""The JSON Schemas: fresh, valid, described, and of one mind with the typed models."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from llm_gc.analysis import shape
from llm_gc.analysis.document_schemas import SCHEMAS, pipeline_schema, text_of, transcript_schema
from llm_gc.api import run
from llm_gc.files.locations import pipelines_in
from llm_gc.language.pipeline import Pipeline
from llm_gc.language.steps import KINDS
from llm_gc.source import load
from llm_gc.transcript.field_descriptions import DESCRIPTIONS
from tools import schemas

ROOT = Path(__file__).parent.parent
QUICK = settings(max_examples=150, derandomize=True, deadline=None, database=None)


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_files_are_fresh(name: str) -> None:
    """What is committed is what the models give; `python -m tools.schemas` writes it."""
    assert (ROOT / "schemas" / name).read_text(encoding="utf-8") == text_of(SCHEMAS[name]())


def test_the_files_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Into the folder that is named."""
    monkeypatch.setattr("sys.argv", ["schema", str(tmp_path / "new")])
    schemas.main()
    assert {file.name for file in (tmp_path / "new").iterdir()} == set(SCHEMAS)


@pytest.mark.parametrize("make", SCHEMAS.values(), ids=SCHEMAS)
def test_they_are_json_schemas(make: Any) -> None:
    """Of draft 2020-12, with no keyword that it does not know, no reference that leads nowhere, no mark of our own."""
    schema = make()
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    Draft202012Validator.check_schema(schema)
    text = json.dumps(schema)
    assert "x-llm-gc" not in text
    assert '"ge"' not in text
    references = {inner["$ref"] for inner in nodes(schema) if isinstance(inner.get("$ref"), str)}
    assert references
    assert all(reference.removeprefix("#/$defs/") in schema["$defs"] for reference in references)


def nodes(node: Any) -> list[dict[str, Any]]:
    """Return every map in a schema."""
    if isinstance(node, list):
        return [inner for item in node for inner in nodes(item)]
    if not isinstance(node, dict):
        return []
    return [node, *(inner for item in node.values() for inner in nodes(item))]


def properties(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return every property in a schema, by the record that has it."""
    records = {"": schema, **schema["$defs"]}
    return {
        f"{name}.{field}": inner
        for name, record in records.items()
        for field, inner in record.get("properties", {}).items()
    }


@pytest.mark.parametrize("make", SCHEMAS.values(), ids=SCHEMAS)
def test_every_property_is_described(make: Any) -> None:
    """Editors, help and manual show that text: a sentence each."""
    for name, inner in properties(make()).items():
        assert inner.get("description", "").endswith("."), name


def test_every_property_explains_itself_in_an_editor() -> None:
    """By an example, where neither its values nor its default say what is written there."""
    for name, inner in properties(pipeline_schema()).items():
        says = "enum" in inner or "default" in inner or inner.get("type") == "boolean"
        assert says or inner.get("examples"), name


def test_every_description_has_its_property() -> None:
    """The glossary tells of nothing that is not there."""
    schema = transcript_schema()
    there = {name: set(record["properties"]) for name, record in schema["$defs"].items()}
    there["Transcript"] = set(schema["properties"])
    assert {name: set(fields) for name, fields in DESCRIPTIONS.items()} == there


def test_the_examples_are_right() -> None:
    """What an editor offers would be accepted."""
    schema = pipeline_schema()
    for name, inner in properties(schema).items():
        validator = Draft202012Validator({**inner, "$defs": schema["$defs"]})
        for example in [*inner.get("examples", []), *([inner["default"]] if "default" in inner else [])]:
            assert validator.is_valid(example), (name, example)


def test_every_step_kind_is_in_it() -> None:
    """Told apart by its key."""
    step = pipeline_schema()["$defs"]["step"]
    assert [rule["if"].get("required") for rule in step["allOf"][2:]] == [[kind] for kind in KINDS]


def test_the_pipelines_that_ship_fit_it() -> None:
    """Each of them, as an editor sees it."""
    validator = Draft202012Validator(pipeline_schema())
    for file in pipelines_in(ROOT / "pipelines"):
        data = load(file.read_text(encoding="utf-8"), file.name).data
        assert [error.message for error in validator.iter_errors(data)] == [], file.name


def test_a_transcript_fits_its_schema(tmp_path: Path) -> None:
    """What a run leaves, nulls and all, is as the schema has it, and the schema tells of every field."""
    transcript = run(ROOT / "pipelines" / "m1.yaml", task="Plan.", backend="rehearsal", sessions=tmp_path, seed=1)
    (file,) = tmp_path.glob("*.json")
    data = json.loads(file.read_text(encoding="utf-8"))
    validator = Draft202012Validator(transcript_schema())
    assert [error.message for error in validator.iter_errors(data)] == []
    assert data["id"] == transcript.id
    assert set(data["turns"][0]) <= set(DESCRIPTIONS["TurnRecord"])


# --- The schema and the models

M1 = load((ROOT / "pipelines" / "m1.yaml").read_text(encoding="utf-8"), "m1.yaml").data
WHOLE: dict[str, Any] = {
    **M1,
    "turns": [
        *M1["turns"],
        "reviewer",
        {"say": "reviewer", "when": "turn > 1", "sees": ["implementer"], "format": {"a": {"type": "string"}},
         "max_tokens": 5, "temperature": 0, "as": "x", "result": "r", "speaker": "S", "instruction": "i"},
        {"do": ["reviewer"], "when": "x", "else": [{"post": "p"}]},
        {"repeat": ["reviewer"], "for": "y", "in": "[1, 2]", "until": "z"},
        {"parallel": ["implementer", {"end": "e"}], "times": 2, "as": "a"},
        {"choose": {"reviewer": ["implementer"]}, "by": "random", "allow_repeat": True, "else": "reviewer"},
        {"choose": ["reviewer"], "by": "{{ last.role }}", "sees": {"from": "own", "last": 2, "opening": False}},
        {"scene": ["reviewer"], "opening": "o", "result": "r", "stop": ["X"], "limits": {"max_turns": 1}, "as": "s"},
        {"scene": "other.yaml", "with": {"task": "t", "n": 3}, "speaker": "reviewer"},
        {"set": {"one": "1", "two": 2, "three": None}},
    ],
    "defaults": {"think": False, "options": {"top_p": 0.5}},
    "result": "{{ last }}",
    "stop": ["DONE", {"token": "X", "match": "regex", "role": "reviewer"}, {"when": "turn > 5"}],
}  # fmt: skip


def paths(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return every path in a document."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path, *(inner for key, item in items for inner in paths(item, (*path, key)))]


PATHS = [path for path in paths(WHOLE) if path and path[0] != "inputs"]
VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 3, 3.0, 2.5, -0.5, 1e300, 10**30, "", " ", "a", "A b", "all", "own", "json", "x.json",
    "reviewer", "reviewer\n", "m1\n", "{{ x }}", "{% x %}", "a.j2", "a.j2\n", "30s", "30s\n", "0s", "1e3s", "continue",
    "stop", "regex", "random", [], [1], ["all"], ["reviewer"], ["reviewer", 3], [None], {}, {"from": "all"},
    {"a": None},
    {"token": "X"}, {"say": "reviewer"}, {"say": "reviewer", "repeat": ["x"]}, {"type": "object"}, {"post": None},
    {"reviewer": ["implementer"]}, {"reviewer": "implementer"},
]  # fmt: skip
KEYS = [
    "Upper", "allow_repeat", "as", "by", "choose", "description", "else", "end", "for", "format", "from", "host",
    "human", "in", "instruction", "label", "last", "limits", "match", "max_tokens", "model", "name", "nonsense",
    "num_ctx", "on_error", "opening", "options", "post", "prompt", "repeat", "repetition", "result", "retries", "role",
    "say", "scene", "seed", "sees", "set", "stop", "temperature", "think", "timeout", "times", "token", "until",
    "when", "with",
]  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """Return the document with up to three things in it replaced, removed or added."""
    document = copy.deepcopy(WHOLE)
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(PATHS))
        node: Any = document
        for step in way:
            if not (isinstance(node, dict) and step in node) and not (isinstance(node, list) and isinstance(step, int)):
                break
            node = node[step] if isinstance(node, dict) or step < len(node) else None
        change = draw(st.sampled_from(["replace", "remove", "add"]))
        if isinstance(node, list) and isinstance(last, int) and last < len(node):
            node[last] = draw(st.sampled_from(VALUES))
        elif isinstance(node, dict) and change == "remove":
            node.pop(last, None)
        elif isinstance(node, dict):
            key = last if change == "replace" else draw(st.sampled_from(KEYS))
            node[key] = draw(st.sampled_from(VALUES))
    return document


def is_typed(document: Any) -> bool:
    """Return whether the models take a document."""
    try:
        Pipeline.model_validate(document)
    except ValidationError:
        return False
    return True


@QUICK
@given(mutated())
def test_what_the_schema_accepts_the_models_accept(document: Any) -> None:
    """And the other way round; and where the models refuse, there is always a sentence that says why."""
    problems = list(shape.check(document))
    assert is_typed(document) == (not problems)
    assert all(problem.message for problem in problems)


@QUICK
@given(st.sampled_from(PATHS), st.sampled_from(VALUES))
def test_one_change_at_a_time(path: tuple[Any, ...], value: Any) -> None:
    """Every value in the place of every other."""
    document = copy.deepcopy(WHOLE)
    node: Any = document
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    assert is_typed(document) == (not list(shape.check(document)))


def test_the_whole_document_is_right() -> None:
    """What the others begin with."""
    assert is_typed(WHOLE)
    assert not list(shape.check(WHOLE))
    assert {kind for kind in KINDS if f'"{kind}":' in json.dumps(WHOLE)} == set(KINDS)
