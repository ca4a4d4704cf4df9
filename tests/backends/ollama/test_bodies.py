"""What is sent for a reply: to a model that chats, and to one that continues from a text."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from llm_gc.backends.ollama.wire import Ability, ability_of, reply_request, thinking
from llm_gc.protocol import Part, Request
from llm_gc.values.frozen import freeze
from tests.backends.ollama.asking import an_ask

ABILITY, ABLE = Ability(("completion",)), ("completion", "thinking")


def test_a_chat_forbids_every_silent_cut() -> None:
    """Options go as they are; the prompt may be neither cut nor slid over, and no tools are offered."""
    ask = an_ask(options=freeze({"num_ctx": 9, "stop": ["x"]}))
    assert reply_request(ask, ABILITY, 300) == (
        "/api/chat",
        {
            "model": "demo:1b",
            "messages": [{"role": "system", "content": "You plan."}, {"role": "user", "content": "Plan it."}],
            "stream": True,
            "options": {"num_ctx": 9, "stop": ["x"]},
            "truncate": False,
            "shift": False,
            "keep_alive": 300,
        },
    )


@pytest.mark.parametrize("format", ["json", {"type": "object"}, {}])
def test_a_format_is_sent_as_it_is(format: object) -> None:
    """Whatever was asked for is asked of the server."""
    assert reply_request(an_ask(format=format), ABILITY, 300)[1]["format"] == format


@pytest.mark.parametrize(
    ("wanted", "capabilities", "sent"),
    [
        (None, ("completion", "thinking"), False),
        (True, ("thinking",), True),
        ("high", ("thinking",), "high"),
        (False, ("thinking",), False),
        (None, ("completion",), None),
        (True, ("completion",), None),
        ("high", (), None),
        (None, None, None),
        (True, None, True),
    ],
)
def test_thinking_is_spoken_of_with_those_who_can(
    wanted: bool | str | None, capabilities: tuple[str, ...] | None, sent: bool | str | None
) -> None:
    """A model that can think is told not to unless it shall; one that cannot is told nothing."""
    ability = Ability(capabilities)
    assert thinking(wanted, ability) == sent
    assert ("think" in reply_request(an_ask(think=wanted), ability, 300)[1]) is (sent is not None)


@pytest.mark.parametrize(
    ("wanted", "sent"), [(None, "low"), (False, "low"), (True, True), ("medium", "medium"), ("high", "high")]
)
def test_a_model_that_knows_only_levels_is_never_told_not_to_think(wanted: bool | str | None, sent: bool | str) -> None:
    """Told not to, it would think all the same, and answer with nothing where a format is asked for."""
    ability = Ability(ABLE, is_leveled=True)
    for format in (None, {"type": "object"}):
        assert reply_request(an_ask(think=wanted, format=format), ability, 300)[1]["think"] == sent


@pytest.mark.parametrize(
    ("parser", "version", "sent"),
    [
        ("", "0.20.0", False),
        ("qwen3.5", "0.20.0", True),
        ("qwen3.5", "0.30.7", True),
        ("qwen3.5", "0.31.0-rc1", False),
        ("qwen3.5", "0.33.2", False),
        ("qwen3.5", "", True),
        ("gemma4", "0.21.0", True),
        ("gemma4", "0.21.1", False),
    ],
)
@pytest.mark.parametrize("wanted", [None, False])
def test_a_format_that_would_be_dropped_is_sent_with_thinking(
    parser: str, version: str, sent: bool, wanted: bool | None
) -> None:
    """A server that applies it only after thinking is let think, but only for structured replies in a chat."""
    ability, form = Ability(ABLE, parser=parser), {"type": "object"}
    assert reply_request(an_ask(think=wanted, format=form), ability, 300, version)[1]["think"] is sent
    assert reply_request(an_ask(think=wanted), ability, 300, version)[1]["think"] is False
    ask = an_ask(think=wanted, format=form)
    ask = replace(ask, casting=replace(ask.casting, api="generate"))
    assert reply_request(ask, ability, 300, version)[1]["think"] is False


def test_a_level_that_was_refused_is_sent_as_true() -> None:
    """To think at no level in particular is the nearest thing that the server takes."""
    assert thinking("high", Ability(ABLE, refuses_levels=True)) is True


@pytest.mark.parametrize(
    ("shown", "ability"),
    [
        ({}, Ability()),
        ({"capabilities": ["completion"]}, Ability(("completion",))),
        ({"details": {"family": "gptoss"}}, Ability(is_leveled=True)),
        ({"details": 1, "model_info": {"general.architecture": "gpt-oss"}}, Ability(is_leveled=True)),
        ({"modelfile": 'FROM x\nRENDERER qwen3.5\nPARSER "qwen3.5"\n'}, Ability(parser="qwen3.5")),
        ({"parser": "harmony", "modelfile": None}, Ability(is_leveled=True, parser="harmony")),
    ],
)
def test_what_a_server_shows_is_read(shown: dict[str, Any], ability: Ability) -> None:
    """Whatever is absent or odd says nothing."""
    assert ability_of(shown) == ability


def test_a_model_that_goes_on_is_sent_one_text() -> None:
    """Its own words are under its label, which also is at the end; the others' have theirs already."""
    parts = (Part("system", "You plan."), Part("assistant", "A plan."), Part("user", "Ben: No."))
    ask = an_ask(options=freeze({"num_ctx": 9}))
    ask = replace(ask, casting=replace(ask.casting, api="generate"), render=lambda: Request(parts))
    path, body = reply_request(ask, ABILITY, 300)
    assert path == "/api/generate"
    assert body == {
        "model": "demo:1b",
        "prompt": "You plan.\n\nAnna: A plan.\n\nBen: No.\n\nAnna:",
        "stream": True,
        "options": {"num_ctx": 9},
        "truncate": False,
        "shift": False,
        "keep_alive": 300,
    }


def test_a_raw_text_is_sent_untouched() -> None:
    """No label, no blank line, no template of the model: what the author wrote is all that it reads."""
    ask = an_ask()
    casting = replace(ask.casting, api="generate", raw=True)
    ask = replace(ask, casting=casting, render=lambda: Request((Part("user", "<s>Go on \n"),)))
    _, body = reply_request(ask, ABILITY, 300)
    assert (body["prompt"], body["raw"]) == ("<s>Go on \n", True)
    assert "system" not in body
