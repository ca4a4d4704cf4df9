"""Structured replies: parsed and checked, asked for again once, and failed plainly."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_gc.protocol import Reply
from tests.talks import answer_all, said, talk

VERDICT = {"approved": {"type": "boolean"}, "score": {"type": "integer", "minimum": 0, "default": 0}}
GOOD = json.dumps({"approved": True, "score": 7})


def judge(*replies: str | Reply, then: str = "data.score", **keys: Any) -> tuple[Any, Any]:
    """Return the asks and the conversation of a judge with a format; its result is an expression over the reply."""
    roles = {"anna": {"format": VERDICT}, "ben": {}}
    conversation = talk([{"say": "anna", "as": "verdict"}], roles=roles, result=f"{{{{ verdict.{then} }}}}", **keys)
    return answer_all(conversation, *replies), conversation


def test_a_reply_that_fits_is_data() -> None:
    """Its parts can be used in expressions."""
    asks, conversation = judge(GOOD)
    assert asks[0].format["required"] == ["approved", "score"]
    assert conversation.outcome.result == 7


def test_a_code_fence_around_it_is_forgiven() -> None:
    """Small models like to put one there."""
    _, conversation = judge(f"```json\n{GOOD}\n```")
    assert conversation.outcome.result == 7


def test_a_reply_that_does_not_fit_is_repaired_once() -> None:
    """The role is shown its reply and what was wrong with it; the history never holds that."""
    asks, conversation = judge('{"approved": "yes", "score": 7}', GOOD)
    assert [ask.id for ask in asks] == ["turns.0", "turns.0#2"]
    assert asks[1].request.messages[:-2] == asks[0].request.messages
    assert asks[1].request.messages[-2]["role"] == "assistant"
    assert "$.approved: 'yes' is not of type 'boolean'" in asks[1].request.messages[-1]["content"]
    assert conversation.outcome.result == 7
    assert len(conversation.turns) == 1
    assert len(conversation.turns[0].attempts) == 1


def test_two_misfits_are_a_failed_turn_with_its_defaults() -> None:
    """After the repair the turn has failed; its data are the schema's defaults."""
    asks, conversation = judge("no json", "[1, 2", then="failed")
    assert len(asks) == 2
    assert conversation.turns[0].exchange.failure.kind == "malformed"
    assert conversation.turns[0].message.data == {"approved": None, "score": 0}
    assert conversation.outcome.status == "failed"


def test_repairs_can_be_switched_off_and_multiplied() -> None:
    """limits.repairs counts the asks after the first."""
    assert len(judge("no", limits={"repairs": 0})[0]) == 1
    assert len(judge("no", "no", "no", GOOD, limits={"repairs": 3})[0]) == 4


def test_a_reply_cut_by_length_is_not_repaired() -> None:
    """Asking again would be cut again; the failure says what to raise."""
    asks, conversation = judge(Reply('{"approved": tr', done_reason="length"))
    assert len(asks) == 1
    assert "raise max_tokens" in conversation.turns[0].exchange.failure.message


def test_a_reply_cut_by_length_that_fits_is_heard() -> None:
    """Cut after the last brace is whole."""
    _, conversation = judge(Reply(GOOD, done_reason="length"))
    assert conversation.outcome.result == 7


def test_json_is_any_object_and_a_schema_stands_as_it_is() -> None:
    """The bare word is never sent: a server may accept it and enforce nothing."""
    schema = {"type": "array", "items": {"enum": [1, 2]}}
    roles = {"anna": {"format": "json"}, "ben": {"format": schema}}
    asks = answer_all(talk(["anna", "ben"], roles=roles), "{}", "[1]")
    assert [ask.format for ask in asks] == [{"type": "object"}, schema]


def test_a_steps_format_replaces_its_roles() -> None:
    """For that turn alone."""
    turns = [{"say": "anna", "format": {"n": {"type": "integer"}}, "as": "x"}, "anna"]
    conversation = talk(turns, result="{{ x.data.n }}")
    asks = answer_all(conversation, '{"n": 3}')
    assert asks[1].format is None
    assert conversation.outcome is not None
    assert conversation.outcome.result == 3


def test_nan_and_depth_are_no_data() -> None:
    """What JSON cannot hold does not fit, however it was written."""
    for content in ('{"approved": true, "score": NaN}', "[" * 5000, "9" * 5000):
        _, conversation = judge(content, content, then="failed")
        assert conversation.turns[0].message.failed


def test_an_empty_reply_is_a_failed_turn() -> None:
    """So is one that is only a tool call, or only thinking, and each says what to do."""
    calls = ({"function": {"name": "f", "arguments": {}}},)
    for reply, word in [
        (said("  \n"), "empty reply"),
        (said("anna:"), "empty reply"),
        (Reply("", tool_calls=calls, done_reason="stop"), "tool call"),
        (Reply("", thinking="Hm.", done_reason="length"), "All tokens went into thinking"),
        (Reply("", thinking="Hm.", done_reason="stop"), "all that came was thinking"),
        (Reply("", done_reason="length"), "max_tokens"),
    ]:
        conversation = talk(["anna", "ben"])
        answer_all(conversation, reply, reply)
        failure = conversation.turns[0].exchange.failure
        assert failure is not None
        assert word in failure.message


@pytest.mark.parametrize(
    ("think", "remedy"),
    [
        (None, "raise max_tokens."),
        (False, "raise max_tokens."),
        ("low", "raise max_tokens."),
        (True, "raise max_tokens, or set think: false."),
        ("high", "raise max_tokens, or set think: low."),
    ],
)
def test_advice_about_thinking_names_nothing_that_is_so_already(think: bool | str | None, remedy: str) -> None:
    """A model that thinks through all its tokens although it is told not to needs more of them, and no such word."""
    conversation = talk(["anna"], roles={"anna": {} if think is None else {"think": think}})
    answer_all(conversation, Reply("", thinking="Hm. " * 50, done_reason="length"))
    failure = conversation.turns[0].exchange.failure
    assert failure is not None
    assert failure.message.endswith(remedy)
