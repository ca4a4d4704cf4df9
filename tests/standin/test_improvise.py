"""What is said when no script is left."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.standin import Job, Model, Say, StandIn
from tests.standin.client import MODEL, Pauses, chat


@pytest.fixture
def server() -> Iterator[StandIn]:
    """A plain model, a native one and one that thinks."""
    thinker = Model("thinker", capabilities=("completion", "thinking"))
    with StandIn([Model(MODEL), Model("native", path="native"), thinker]) as server:
        yield server


def reply(server: StandIn, text: str = "Hi", **fields: Any) -> str:
    """What is said in answer to a text."""
    return str(chat(server, text, stream=False, **fields).json["message"]["content"])


def test_deterministic(server: StandIn) -> None:
    """The same messages and seed give the same reply, other ones another."""
    same = [reply(server, "Plan.", options={"seed": 1}) for _ in range(3)]
    assert len(set(same)) == 1
    assert len({reply(server, text, options={"seed": seed}) for text in "ab" for seed in (1, 2)}) == 4
    assert len(same[0].split()) > 3


def test_greedy(server: StandIn) -> None:
    """At temperature 0 the seed does not matter."""
    assert len({reply(server, options={"seed": seed, "temperature": 0}) for seed in range(4)}) == 1


def test_limits(server: StandIn) -> None:
    """What is made up obeys num_predict."""
    answer = chat(server, options={"num_predict": 2}).lines[-1]
    assert (answer["done_reason"], answer["eval_count"]) == ("length", 2)


def test_thinks(server: StandIn) -> None:
    """A model that can think does, unless it is told not to."""
    assert chat(server, model="thinker", stream=False).json["message"]["thinking"]
    assert "thinking" not in chat(server, model="thinker", stream=False, think=False).json["message"]


@pytest.mark.parametrize(
    ("schema", "fits"),
    [
        ({"type": "object", "properties": {"ok": {"type": "boolean"}}}, lambda v: isinstance(v["ok"], bool)),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2}, lambda v: len(v) == 2),
        ({"type": "string", "maxLength": 2}, lambda v: len(v) == 2),
        ({"type": "number", "minimum": 0, "maximum": 1}, lambda v: 0 <= v <= 1),
        ({"type": "integer", "minimum": 3, "maximum": 3}, lambda v: v == 3),
        ({"enum": ["left", "right"]}, lambda v: v in ("left", "right")),
        ({"const": 5}, lambda v: v == 5),
        ({"type": ["null", "string"]}, lambda v: v is None),
        ({"anyOf": [{"type": "boolean"}, {"type": "null"}]}, lambda v: isinstance(v, bool)),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"enum": [1]}}}, lambda v: v == 1),
        ({"type": "object", "properties": {"child": {"$ref": "#"}}}, lambda v: "child" in v),
    ],
)
def test_schema(server: StandIn, schema: dict[str, Any], fits: Any) -> None:
    """A schema is answered with JSON that fits it, on both paths."""
    assert fits(json.loads(reply(server, format=schema)))
    assert fits(json.loads(reply(server, model="native", format=schema)))


def test_format_json(server: StandIn) -> None:
    """The word `json` gives an object on the rendered path; the native one takes no notice of it."""
    assert isinstance(json.loads(reply(server, format="json")), dict)
    assert not reply(server, model="native", format="json").startswith("{")


def test_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Made-up replies come at the speed that the server was given."""
    pauses = Pauses(monkeypatch)
    with StandIn([Model(MODEL)], words_per_second=50, latency=0.05) as server:
        chat(server, options={"num_predict": 4})
    assert pauses.seconds == [0.05, 0.02, 0.02, 0.02]


def test_own_reply() -> None:
    """A function can answer in the place of chance, and sees what was asked."""

    def echo(job: Job) -> Say:
        return Say(job.call.messages[-1].content.upper())

    with StandIn([Model(MODEL)], reply=echo) as server:
        assert reply(server, "hello") == "HELLO"
