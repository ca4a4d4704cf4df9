"""The manual is whole and true: fresh tables, an example for every key, links that lead somewhere, an exact request."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest
import yaml

from llm_gc.analysis.document_schemas import pipeline_schema
from llm_gc.core import Conversation
from llm_gc.core.outcome import Reason, Status
from llm_gc.language.pipeline import Pipeline
from llm_gc.language.steps import KINDS
from llm_gc.protocol import Message
from tests.commands import ROOT
from tests.talks import said
from tools import manual

TEXT = (ROOT / "docs" / "language.md").read_text(encoding="utf-8")
MODELS = manual.models()
PARTS = ["Pipeline", *(name for name in pipeline_schema()["$defs"] if name != "step")]
TABLES = {name for found in manual.PLACE.finditer(TEXT) for name in found["name"].split(", ")}


def blocks(info: str, text: str = TEXT) -> list[str]:
    """Return the code blocks that are marked so."""
    return re.findall(rf"^```{info}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


EXAMPLES = [yaml.safe_load(text) for text in blocks("yaml")]
FRAGMENTS = [yaml.safe_load(text) for text in blocks("yaml fragment")]


def section(title: str) -> str:
    """Return what is under a heading, up to the next one of its rank."""
    found = re.search(rf"^(#+) {re.escape(title)}\n(.*?)(?=^\1 |\Z)", TEXT, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[2]


def keys(data: Any) -> Iterator[str]:
    """Yield every key of every map in a document."""
    if isinstance(data, dict):
        yield from data
        data = list(data.values())
    if isinstance(data, list):
        for item in data:
            yield from keys(item)


def test_the_tables_are_fresh() -> None:
    """What is generated is as the models say: else run `make docs`."""
    assert manual.rewritten(TEXT) == TEXT


@pytest.mark.parametrize("part", PARTS)
def test_every_part_of_the_schema_is_described(part: str) -> None:
    """All its keys are in tables: in its own, or in that of the part that it has them from."""
    described = {
        key
        for model in MODELS[part].__mro__
        if model.__name__ in TABLES
        for key in manual.keys(MODELS[model.__name__], inherited=False)
    }
    schema = pipeline_schema() if part == "Pipeline" else pipeline_schema()["$defs"][part]
    assert described == set(schema["properties"])


@pytest.mark.parametrize("part", PARTS)
def test_every_key_is_shown_in_an_example(part: str) -> None:
    """In a whole pipeline or in a fragment."""
    assert set(manual.keys(MODELS[part])) <= set(keys([EXAMPLES, FRAGMENTS]))


@pytest.mark.parametrize("key", [*manual.keys(Pipeline), *KINDS])
def test_every_key_at_the_top_and_every_step_has_a_section_with_an_example(key: str) -> None:
    """A section of that name, and in it a whole pipeline that uses it."""
    shown = [yaml.safe_load(text) for text in blocks("yaml", section(f"`{key}`"))]
    if key == "name":
        return  # every example has one
    assert key in keys(shown)


@pytest.mark.parametrize("text", [*blocks("yaml"), *blocks("yaml fragment")])
def test_examples_are_small(text: str) -> None:
    """Each shows one thing."""
    assert len(text.splitlines()) <= 17


def test_every_example_has_its_own_name() -> None:
    """So that each can be kept, and nobody takes one for another."""
    names = [example["name"] for example in EXAMPLES]
    assert len(names) == len(set(names))


def test_every_link_leads_somewhere() -> None:
    """Each link within the manual names a heading of it."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", TEXT, flags=re.DOTALL | re.MULTILINE), re.MULTILINE)
    anchors = [re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings]
    assert len(anchors) == len(set(anchors))
    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= set(anchors)


@pytest.mark.parametrize("reason", [*get_args(Reason), *get_args(Status)])
def test_every_way_to_end_is_told(reason: str) -> None:
    """In the table of endings."""
    assert f"`{reason}`" in section("How a conversation ends")


@pytest.mark.parametrize("part", list(Message.__dataclass_fields__))
def test_every_part_of_a_message_is_told(part: str) -> None:
    """In the section on names."""
    assert f"`{part}`" in section("Names")


def test_the_request_that_is_shown_is_exact() -> None:
    """Ben is sent what the manual says, after the replies that it supposes."""
    told = section("What a speaker is sent")
    (pipeline,), (replies,), (messages,) = blocks("yaml", told), blocks("text", told), blocks("json", told)
    conversation = Conversation(Pipeline.model_validate(yaml.safe_load(pipeline)), {})
    for reply in replies.splitlines():
        (ask,) = conversation.pending
        conversation.answer(ask, said(reply))
    (ask,) = conversation.pending
    assert ask.speaker.role == "ben"
    assert ask.request.messages == json.loads(messages)
    assert conversation.turns[1].said == "How much for two cups?"


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "string"}, ["text"]),
        ({"type": "string", "x-llm-gc": "template"}, ["template"]),
        ({"x-llm-gc": "expression"}, ["expression", "data"]),
        ({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]}, ["whole number from 1"]),
        ({"anyOf": [{"const": "json"}, {"type": "object"}]}, ["`json`", "map"]),
        ({"type": "array", "items": {"x-llm-gc": "step"}}, ["list of steps"]),
        ({"type": "array", "items": {}}, ["list"]),
        ({"type": "array", "items": {"anyOf": [{"type": "string"}, {"$ref": "#"}]}}, ["list of texts or maps"]),
        ({"type": "object", "patternProperties": {"^a": {"type": "integer"}}}, ["map of whole numbers"]),
    ],
)
def test_what_a_schema_expects_in_words(schema: dict[str, Any], words: list[str]) -> None:
    """Each kind of schema that the models have."""
    assert manual.expects(schema) == words


def test_only_what_is_marked_is_rewritten() -> None:
    """The rest of a manual stays as it is, and so does a fresh table; a table of nothing is an error."""
    text = "before\n<!-- generated: End -->\nold\n<!-- end -->\nafter\n"
    made = manual.rewritten(text)
    assert made.startswith("before\n<!-- generated: End -->\n\n| Key |")
    assert made.endswith("|\n\n<!-- end -->\nafter\n")
    assert manual.rewritten(made) == made
    with pytest.raises(KeyError):
        manual.rewritten(text.replace("End", "Nothing"))
