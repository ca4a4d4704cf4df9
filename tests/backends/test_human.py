"""A person in a role: asked until the answer will do, form by form, or answering from a list."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from llm_gc.backends.human import Answers, Blank, Human, blanks, people
from llm_gc.backends.interface import Asked, Facts, Progress
from llm_gc.core import Conversation, Files
from llm_gc.errors import Unanswered
from llm_gc.protocol import Ask, Latency, Reply, Tokens
from tests.talks import answer_all, pipeline, said, talk

ROLES: dict[str, Any] = {"anna": {"human": True}, "ben": {"description": "Knows the sea."}, "carl": {}}
VERDICT = {"approved": {"type": "boolean"}, "score": {"type": "integer", "minimum": 0}, "why": {"type": "string"}}


class Scripted:
    """An asker at whose keyboard somebody types what is in a list."""

    at_once = False

    def __init__(self, *typed: str) -> None:
        self.typed = list(typed)
        self.blanks: list[Blank] = []
        self.refused: list[str] = []

    async def answer(self, ask: Ask, blank: Blank) -> str:
        self.blanks.append(blank)
        return self.typed.pop(0)

    def refuse(self, ask: Ask, why: str) -> None:
        self.refused.append(why)


def ask_for(format_: Any = None) -> Ask:
    """Return an ask to a person."""
    step = {"say": "anna"} if format_ is None else {"say": "anna", "format": format_}
    return talk([step], roles=ROLES).pending[0]


def reply(asker: Any, format_: Any = None) -> Reply:
    """Return the person's reply."""
    return asyncio.run(Human(asker).reply(ask_for(format_)))


def data(asker: Any, format_: Any) -> Any:
    """Return the data of the person's reply."""
    return json.loads(reply(asker, format_).content)


def test_a_person_needs_nothing_before_the_start() -> None:
    """There is no server and no model to find."""
    human = Human(Scripted())
    assert asyncio.run(human.preflight([], 1.0)) == Facts("human")
    asyncio.run(human.aclose())


def test_a_persons_reply_takes_no_time_and_no_tokens() -> None:
    """Only the words count; who spoke is called human, and it is told that somebody is asked now."""
    notes: list[Progress] = []
    only = asyncio.run(Human(Scripted("  Good morning.\n\nAll of you.\n")).reply(ask_for(), notes.append))
    assert only == Reply("Good morning.\n\nAll of you.", done_reason="stop", model="human")
    assert (only.seconds, only.latency, only.tokens) == (0.0, Latency(total=None), Tokens())
    assert notes == [Asked("human")]


def test_an_empty_answer_is_asked_again() -> None:
    """With a word how to say nothing."""
    asker = Scripted("", " \n ", "Yes.")
    assert reply(asker).content == "Yes."
    assert asker.refused == ["an answer is needed; /skip gives none"] * 2


@pytest.mark.parametrize("format_", [None, VERDICT, "json"])
def test_skip_is_a_failed_turn(format_: Any) -> None:
    """It is empty, not tried again, and the conversation continues."""
    conversation = talk([{"say": "anna", **({"format": format_} if format_ else {})}, "ben"], roles=ROLES)
    conversation.answer(conversation.pending[0], reply(Scripted("/skip"), format_))
    turn = conversation.turns[0]
    assert turn.message.failed
    assert turn.exchange.failure is not None
    assert (turn.exchange.failure.kind, turn.exchange.failure.retry) == ("empty", False)
    assert conversation.pending[0].speaker.role == "ben"


@pytest.mark.parametrize("typed", ["ben", "BEN", "1"])
def test_a_choice_is_answered_by_name_or_number(typed: str) -> None:
    """The menu has the allowed names; what comes of it is the JSON that the step waits for."""
    conversation = talk([{"choose": ["ben", "carl"], "by": "anna"}], roles=ROLES)
    asker = Scripted(typed)
    picked = asyncio.run(Human(asker).reply(conversation.pending[0]))
    assert asker.blanks[0].choices == ("ben", "carl")
    conversation.answer(conversation.pending[0], picked)
    assert conversation.pending[0].speaker.role == "ben"


def test_a_choice_that_is_none_is_asked_again() -> None:
    """It says what there is."""
    asker = Scripted("bob", "0", "3", "9" * 5000, "ben")
    assert data(asker, {"next": {"enum": ["ben", "carl"]}}) == {"next": "ben"}
    assert asker.refused[:3] == [f"'{word}' is none of ben, carl" for word in ("bob", "0", "3")]


def test_a_name_goes_before_a_number() -> None:
    """Where the choices are numbers themselves, what is typed is one of them."""
    assert data(Scripted("1"), {"n": {"enum": [3, 2, 1]}}) == {"n": 1}
    assert data(Scripted("null"), {"n": {"enum": [None, "x"]}}) == {"n": None}
    assert data(Scripted("1"), {"n": {"const": "only"}}) == {"n": "only"}
    assert data(Scripted("A", "a"), {"n": {"enum": ["a", "b"]}}) == {"n": "a"}


def test_a_form_is_filled_in_blank_by_blank() -> None:
    """Each property by itself and in its own words; what does not fit is asked again alone."""
    asker = Scripted("maybe", "Yes", "many", "-1", "7", "Because.")
    assert data(asker, VERDICT) == {"approved": True, "score": 7, "why": "Because."}
    assert [blank.name for blank in asker.blanks] == ["approved"] * 2 + ["score"] * 3 + ["why"]
    assert [blank.hint for blank in asker.blanks[1::3]] == ["yes or no", "a whole number"]
    assert asker.refused == [
        "'maybe' is not yes or no",
        "'many' is not a whole number",
        "-1 is less than the minimum of 0",
    ]


def test_a_blank_may_be_left_out() -> None:
    """A property that is not required, or that has a default, need not be filled in."""
    about = {"a": {"type": "string"}, "b": {"type": "number", "default": 0.5}, "c": {"type": "string"}}
    schema = {"type": "object", "properties": about, "required": ["b", "c"]}
    asker = Scripted("", "", "", "x")
    assert data(asker, schema) == {"b": 0.5, "c": "x"}
    assert asker.refused == ["an answer is needed; /skip gives none"]


def test_what_is_no_simple_form_is_answered_in_json() -> None:
    """Whole, or in the one blank that is more than a value; it must fit all the same."""
    asker = Scripted("[1, 2", "[1]", '["x"]')
    assert data(asker, {"names": {"type": "array", "items": {"type": "string"}}}) == {"names": ["x"]}
    assert [blank.hint for blank in asker.blanks] == ["JSON"] * 3
    assert asker.refused[0].startswith("it is not valid JSON")
    assert asker.refused[1] == "at $[0]: 1 is not of type 'string'"
    assert data(Scripted('{"anything": 1}'), "json") == {"anything": 1}
    assert data(Scripted("yes"), {"type": "boolean"}) is True


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"type": "string"}}},
        {"type": "object", "properties": {"a": {"type": "string"}}, "minProperties": 1},
        {"type": "object"},
        {"type": "array"},
    ],
)
def test_a_schema_beyond_properties_is_one_blank(schema: Any) -> None:
    """Nothing of it is guessed."""
    assert blanks(schema) == (Blank(schema=schema),)


def test_a_form_that_does_not_fit_as_a_whole_is_begun_again() -> None:
    """Where each blank fits and all together do not."""
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "additionalProperties": False,
        "required": ["b"],
    }
    asker = Scripted("x", "/skip")
    assert reply(asker, schema).failure is not None
    assert asker.refused == ["at $: 'b' is a required property"]


def answers(*texts: str) -> Answers:
    """Return the answers of a list."""
    return Answers(texts, "answers.txt")


def test_answers_come_in_order_and_run_out() -> None:
    """The next ask then has none; the message says whom it was for and how many there were."""
    given = answers("one", "two")
    human = Human(given)
    assert [asyncio.run(human.reply(ask_for())).content for _ in range(2)] == ["one", "two"]
    with pytest.raises(Unanswered, match=r"no answer is left for anna: all 2 in answers.txt were used"):
        asyncio.run(human.reply(ask_for()))


def test_answers_that_are_left_are_counted() -> None:
    """There is something to say of them, and nothing where none is left."""
    given = answers("one", "two")
    asyncio.run(Human(given).reply(ask_for()))
    assert given.left == "1 of 2 answers in answers.txt were not needed"
    assert answers().left == ""


@pytest.mark.parametrize(
    ("text", "format_", "expected"),
    [
        ('{"approved": true, "score": 1, "why": "x"}', VERDICT, {"approved": True, "score": 1, "why": "x"}),
        ("2", {"next": {"enum": ["ben", "carl"]}}, {"next": "carl"}),
        ('{"next": "ben"}', {"next": {"enum": ["ben", "carl"]}}, {"next": "ben"}),
        ("no", {"ok": {"type": "boolean"}}, {"ok": False}),
        ("true", {"type": "boolean"}, True),
    ],
)
def test_one_answer_fills_in_a_whole_form(text: str, format_: Any, expected: Any) -> None:
    """In a list one answer is one turn: JSON, or the value itself where there is but one blank."""
    assert data(answers(text), format_) == expected


@pytest.mark.parametrize(
    ("text", "format_", "why"),
    [
        ("", None, "an answer is needed"),
        ("", VERDICT, "an answer is needed"),
        ("yes", VERDICT, "not valid JSON"),
        ("bob", {"next": {"enum": ["ben"]}}, "'bob' is none of ben"),
        ("3", {"type": "boolean"}, "3 is not of type 'boolean'"),
    ],
)
def test_an_answer_that_will_not_do_ends_it(text: str, format_: Any, why: str) -> None:
    """Taking the next one in its place would shift all that follow."""
    with pytest.raises(Unanswered, match=rf"answer 1 in answers.txt will not do for anna: .*{why}"):
        reply(answers(text, "spare"), format_)


def test_a_persons_time_is_not_the_conversations() -> None:
    """With a limit of time a conversation of people alone never reaches it."""
    conversation = talk([{"repeat": ["anna"], "times": 3}], roles=ROLES, limits={"max_time": "1ms"})
    asks = answer_all(conversation, *(asyncio.run(Human(answers("x")).reply(ask_for())) for _ in range(3)))
    assert len(asks) == 3
    assert conversation.outcome is not None
    assert conversation.outcome.reason == "turns_done"


def names(scenes: Sequence[tuple[str, Any]] = ()) -> list[str]:
    """Return who is a person, in a pipeline and in those of its scenes."""
    outer = pipeline(["anna"], roles=ROLES)
    inner = pipeline(["dora"], roles={"dora": {"human": True}, "emil": {}})
    files = Files({}, {name: (inner, Files()) for name, _ in scenes})
    return list(people(outer, files))


def test_the_people_of_a_pipeline() -> None:
    """Those of the pipelines that its scenes play are asked too."""
    assert names() == ["anna"]
    assert names([("inner.yaml", None)]) == ["anna", "dora"]


def test_a_person_has_no_model() -> None:
    """Whatever model the defaults give to everybody, a person waits at no model's gate and shares no load options."""
    conversation: Conversation = talk(
        ["anna", "ben"], roles={"anna": {"human": True, "num_ctx": 9}, "ben": {"num_ctx": 8}}
    )
    assert (conversation.pending[0].model, conversation.pending[0].casting.human) == ("", True)
    conversation.answer(conversation.pending[0], said("x"))
    assert conversation.pending[0].options["num_ctx"] == 8
