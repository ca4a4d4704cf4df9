"""What is sent for a reply: to a model that chats, and to one that goes on from a text."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llm_gc.backends.ollama.bodies import reply_request, thinking
from llm_gc.frozen import freeze
from llm_gc.protocol import Part, Request
from tests.backends.ollama.asking import an_ask


def test_a_chat_forbids_every_silent_cut() -> None:
    """Options go as they are; the prompt may be neither cut nor slid over, and no tools are offered."""
    ask = an_ask(options=freeze({"num_ctx": 9, "stop": ["x"]}))
    assert reply_request(ask, (), 300) == (
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
    assert reply_request(an_ask(format=format), (), 300)[1]["format"] == format


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
    assert thinking(wanted, capabilities) == sent
    assert ("think" in reply_request(an_ask(think=wanted), capabilities, 300)[1]) is (sent is not None)


def test_a_model_that_goes_on_is_sent_one_text() -> None:
    """Its own words stand under its label, which also stands at the end; the others' have theirs already."""
    parts = (Part("system", "You plan."), Part("assistant", "A plan."), Part("user", "Ben: No."))
    ask = an_ask(options=freeze({"num_ctx": 9}))
    ask = replace(ask, casting=replace(ask.casting, api="generate"), render=lambda: Request(parts))
    path, body = reply_request(ask, (), 300)
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
    _, body = reply_request(ask, (), 300)
    assert (body["prompt"], body["raw"]) == ("<s>Go on \n", True)
    assert "system" not in body
