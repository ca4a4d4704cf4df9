"""The context window: what surely does not fit is not sent, what does is, and figures that cannot be are noticed."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_gc.core import Conversation
from llm_gc.core.context_window import reserve
from llm_gc.protocol import Ask, Reply, Tokens
from tests.core.test_properties import SETTINGS
from tests.growing import messages
from tests.talks import answer_all, failed, said, talk

SMALL = {"num_ctx": 1000, "max_tokens": 100}
DROP = {"on_overflow": "drop_oldest"}


def counted(content: str, prompt: int, completion: int = 5, done: str = "stop") -> Reply:
    """Return a reply whose prompt the server has counted."""
    return Reply(content, done_reason=done, tokens=Tokens(prompt, completion), seconds=1.0)


def small(turns: list[Any], anna: dict[str, Any] | None = None, **keys: Any) -> Conversation:
    """Return a conversation of roles with a window of 1,000 tokens and replies of 100."""
    return talk(turns, roles={"anna": {**SMALL, **(anna or {})}, "ben": SMALL}, **keys)


def warnings(prompt: int, completion: int = 5, done: str = "stop", **anna: Any) -> tuple[str, ...]:
    """Return what is odd about such figures, for a prompt of 4,000 characters."""
    conversation = small(["anna"], {**SMALL, **anna}, opening="x" * 4000)
    conversation.answer(conversation.pending[0], counted("ok", prompt, completion, done))
    return conversation.turns[0].warnings


# --- Before it is sent


@pytest.mark.parametrize(("characters", "fits"), [(7200, True), (7216, False)])
def test_a_first_prompt_is_refused_only_where_no_text_could_fit(characters: int, fits: bool) -> None:
    """With nothing counted yet a token may have eight characters; the reply has its room."""
    conversation = small(["anna"], opening="x" * characters)
    assert bool(conversation.pending) == fits
    if not fits:
        assert conversation.outcome is not None
        assert (conversation.outcome.status, conversation.outcome.reason) == ("failed", "overflow")
        assert conversation.outcome.detail == (
            "The prompt (7,216 characters, at least 902 tokens) and 100 tokens for the reply do not fit the context "
            "window of 1,000, so it was not sent. Give the model a larger num_ctx, let the role see less, or set "
            "limits.on_overflow: drop_oldest."
        )
        (turn,) = conversation.turns
        assert turn.exchange.failure is not None
        assert (turn.message.failed, turn.exchange.failure.kind) == (True, "overflow")


def test_what_was_counted_corrects_the_estimate() -> None:
    """A prompt that begins with a counted one has at least its tokens, and then one for every eight characters."""
    for tokens, fits in ((800, True), (801, False)):
        conversation = small(["anna", "ben", "anna"])
        answer = ("A", "B" * (8 * 100 - len("anna") - len("A") - len("ben: ") + 5))
        conversation.answer(conversation.pending[0], counted(answer[0], tokens))
        conversation.answer(conversation.pending[0], said(answer[1]))
        added = "".join(text for _, text in messages(conversation.pending[0])) if fits else ""
        assert bool(conversation.pending) == fits
        assert not fits or len(added) - len("Begin.") - 4 <= 800


def test_each_speaker_is_measured_by_its_own_prompts() -> None:
    """What another role's prompt had says nothing about this one's."""
    conversation = small(["anna", "ben", "anna"], {"prompt": "You are Anna."})
    conversation.answer(conversation.pending[0], counted("A", 20))
    conversation.answer(conversation.pending[0], counted("B", 900))
    assert conversation.pending


def test_a_model_with_long_tokens_is_given_the_benefit() -> None:
    """Where a prompt of the model had nearly eight characters for a token, the next one may have twice as many."""
    for tokens, fits in ((640, True), (1000, False)):
        conversation = small(["ben", {"say": "anna", "instruction": "z" * 9000}], opening="y" * 5000)
        conversation.answer(conversation.pending[0], counted("B", tokens))
        assert bool(conversation.pending) == fits


def test_a_reply_is_kept_no_more_room_than_a_quarter_of_the_window() -> None:
    """Or a window smaller than max_tokens would be good for nothing."""
    roles = {"anna": {"num_ctx": 400}}
    assert talk(["anna"], roles=roles, opening="x" * 2400).pending
    assert not talk(["anna"], roles=roles, opening="x" * 2408).pending


def test_without_a_window_nothing_is_refused() -> None:
    """Nobody knows what fits."""
    assert talk(["anna"], opening="x" * 10**6).pending


# --- Dropping


def test_drop_oldest_makes_room_before_anything_is_sent() -> None:
    """Half of the messages go at once, the system prompt and the opening stay; there is no try that failed."""
    conversation = small([*["ben"] * 6, "anna", "anna"], {"prompt": "You are Anna."}, limits=DROP, opening="Begin.")
    for number in range(6):
        conversation.answer(conversation.pending[0], said(f"B{number} " + "x" * 700))
    ask = conversation.pending[0]
    assert (ask.id, ask.attempt) == ("turns.6", 1)
    assert messages(ask)[0] == ("system", "You are Anna.")
    text = messages(ask)[1][1]
    assert text.startswith("Begin.\n\nben: B3")
    assert (ask.request.kept, ask.request.dropped) == (3, 3)
    conversation.answer(ask, counted("A", 700))
    again = conversation.pending[0]
    assert messages(again)[:2] == messages(ask)
    assert (again.request.kept, again.request.dropped) == (4, 3)
    assert conversation.turns[6].attempts == ()


def test_it_drops_as_often_as_it_must() -> None:
    """The newest message stays in any case, and is sent where it may fit."""
    conversation = small([*["ben"] * 8, "anna"], limits=DROP)
    for number in range(8):
        conversation.answer(conversation.pending[0], said(f"B{number} " + "x" * (6000 if number == 7 else 1000)))
    assert [(ask.request.kept, ask.request.dropped) for ask in conversation.pending] == [(1, 7)]


def test_what_cannot_be_dropped_ends_it() -> None:
    """The words say that nothing is left to drop."""
    conversation = small(["ben", "anna"], limits=DROP)
    conversation.answer(conversation.pending[0], said("x" * 9000))
    assert conversation.outcome is not None
    assert conversation.outcome.reason == "overflow"
    assert "Nothing more can be dropped" in conversation.outcome.detail


def test_the_servers_refusal_is_acted_on_as_well() -> None:
    """What the estimate let pass and the server did not is a try that failed; half is dropped then."""
    conversation = small([*["ben"] * 4, "anna"], limits=DROP)
    asks = answer_all(conversation, *["B" * 700] * 4, failed("overflow"), "A")
    assert [(ask.id, ask.request.kept, ask.request.dropped) for ask in asks[4:]] == [
        ("turns.4", 4, 0),
        ("turns.4#2", 2, 2),
    ]


def test_only_what_a_speaker_sees_is_counted_and_dropped() -> None:
    """Half of what it is sent, whatever else was said; with ``last``, of those."""
    for sees, figures in ((["ben"], (2, 2)), ({"from": ["ben"], "last": 2}, (1, 1))):
        roles = {"anna": {**SMALL, "sees": sees}, "ben": SMALL, "cleo": SMALL}
        turns = ["ben", "ben", "cleo", "ben", "ben", "cleo", "cleo", "anna"]
        conversation = talk(turns, roles=roles, limits=DROP)
        asks = answer_all(conversation, *["hm"] * 7, failed("overflow"), "A")
        assert (asks[-1].request.kept, asks[-1].request.dropped) == figures


# --- Figures that cannot be


def test_a_good_figure_is_not_warned_of() -> None:
    """Nor is a missing one."""
    assert warnings(900) == ()
    assert warnings(502) == ()  # exactly half, and as many as there may be
    assert warnings(0, 0) == ()


def test_a_request_that_was_shortened_is_noticed() -> None:
    """By a count that cannot be: fewer than for an earlier, shorter request, or than its characters allow."""
    (words,) = warnings(499)
    assert "counted 499 tokens where there are at least 500" in words
    conversation = small(["anna", "ben", "anna"])
    conversation.answer(conversation.pending[0], counted("A", 400))
    conversation.answer(conversation.pending[0], said("B" * 80))
    conversation.answer(conversation.pending[0], counted("A", 350))
    (words,) = conversation.turns[2].warnings
    assert "350 tokens where there are at least 410" in words


@pytest.mark.parametrize(
    ("count", "options"), [(502, {}), (503, {}), (550, {"num_keep": 100}), (551, {"num_keep": 100})]
)
def test_a_request_that_was_cut_to_half_is_noticed(count: int, options: dict[str, Any]) -> None:
    """As Ollama cuts: the first ``num_keep`` tokens and the newer half of the rest are left."""
    conversation = small(["anna", "anna"], {"options": options}, opening="x" * 6400)
    conversation.answer(conversation.pending[0], counted("ok", count))
    (words,) = conversation.turns[0].warnings
    assert f"counted {count} tokens, half of its window of 1,000" in words
    assert conversation.pending, "a figure that cannot be is not gone by"


def test_a_window_that_slid_or_was_full_is_noticed() -> None:
    """By prompt and reply together; the engine's window is a multiple of 256."""
    assert warnings(900, 100) == ()
    assert "it has slid over the beginning" in warnings(950, 80)[0]
    assert warnings(950, 74) != ()
    assert warnings(950, 73) == ()
    (words,) = warnings(950, 60, "length")
    assert words.startswith("the reply was cut since the context window of 1,000 tokens was full")


def test_a_pick_is_looked_at_as_well() -> None:
    """Its warnings are its own."""
    roles = {"anna": SMALL, "ben": SMALL}
    conversation = talk([{"choose": ["anna", "ben"], "by": "anna"}], roles=roles, opening="x" * 4000)
    conversation.answer(conversation.pending[0], counted('{"next": "ben"}', 10))
    assert "where there are at least" in conversation.turns[0].warnings[0]


# --- Whatever is said


def tokens_of(ask: Ask, characters: float) -> int:
    """Count as a server with such a tokeniser would: some tokens for each message, and one for so many characters."""
    return 8 + sum(4 + -(-len(text) // int(characters)) for _, text in messages(ask))


@SETTINGS
@given(st.integers(0, 10**6), st.sampled_from(["stop", "drop_oldest"]), st.integers(1, 8))
def test_nothing_that_fits_is_refused_and_nothing_is_cut(salt: int, on_overflow: str, characters: int) -> None:
    """For a tokeniser of up to eight characters for a token: what is not sent did not fit, figures are never odd."""
    chance = Random(salt)
    roles = {"anna": {"num_ctx": 512, "max_tokens": 60}, "ben": {"num_ctx": 512, "max_tokens": 200}}
    turns = [{"repeat": ["anna", {"parallel": ["ben", {"do": ["anna", "anna"]}]}, "ben"], "times": 4}]
    conversation = talk(turns, roles=roles, limits={"on_overflow": on_overflow})
    while conversation.outcome is None:
        ask = conversation.pending[0]
        tokens = tokens_of(ask, characters)
        assert ask.request.dropped == 0 or on_overflow == "drop_oldest"
        content = "".join(chance.choice("abc d\n") for _ in range(chance.randint(1, 700))).strip() or "ok"
        fits = tokens < 512
        conversation.answer(ask, counted(content, tokens, 20) if fits else failed("overflow"))
    unsent = [turn for turn in conversation.turns if "was not sent" in str(turn.exchange.failure)]
    assert all(
        tokens_of(turn.exchange.ask, characters) + reserve(turn.exchange.ask.options, 512) > 512 for turn in unsent
    )
    assert not [warning for turn in conversation.turns for warning in turn.warnings if "counted" in warning]


@SETTINGS
@given(st.integers(0, 10**6), st.integers(1, 8))
def test_the_figures_are_what_the_request_holds(salt: int, characters: int) -> None:
    """What was kept is in it, and with what was dropped it is all that was said and heard before."""
    chance = Random(salt)
    roles = {"anna": {"num_ctx": 512, "max_tokens": 60}, "ben": {"num_ctx": 512, "max_tokens": 60}}
    conversation = talk([{"repeat": ["anna", "ben", "ben"], "times": 8}], roles=roles, limits=DROP)
    words: list[str] = []
    dropped = 0
    while conversation.outcome is None:
        ask = conversation.pending[0]
        tokens, text = tokens_of(ask, characters), "\n".join(text for _, text in messages(ask))
        there = [word for word in words if word in text]
        assert there == words[len(words) - len(there) :], "the oldest go first"
        assert (ask.request.kept, ask.request.dropped) == (len(there), len(words) - len(there))
        dropped = max(dropped, ask.request.dropped)
        if tokens >= 512:
            conversation.answer(ask, failed("overflow"))
        elif chance.random() < 0.1:
            conversation.answer(ask, failed())
        else:
            words.append(f"<{len(words)}>")
            conversation.answer(ask, counted(words[-1] + "x" * chance.randint(1, 800), tokens, 20))
    assert dropped or sum(map(len, words)) < 8 * 512
