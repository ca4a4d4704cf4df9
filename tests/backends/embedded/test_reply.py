"""Replies of a real engine with a tiny random model: what is heard, how it is limited, and what fails."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from llm_gc.backends.embedded.backend import Embedded
from llm_gc.backends.interface import Asked, Delta, Loading, Progress
from llm_gc.core.structured import parse
from llm_gc.protocol import Reply
from tests.backends.embedded.asking import (
    answers,
    casting,
    embedded,
    needs_engine,
    processes,
    question,
    sent,
    with_engine,
)
from tests.backends.ollama.asking import Notes

pytestmark = needs_engine

FORM = {
    "type": "object",
    "properties": {"approved": {"type": "boolean"}, "why": {"type": "string", "maxLength": 60}},
    "required": ["approved", "why"],
    "additionalProperties": False,
}
ENDLESS = {"type": "array", "items": {"type": "boolean"}, "minItems": 1500}
"""A form that no reply completes within the window: so it is sure not to end by itself."""


def test_a_reply_is_heard(tiny: Path) -> None:
    """The model is loaded first; then the text streams, and its figures are the engine's."""
    notes = Notes()

    async def go(backend: Embedded) -> Reply:
        return await backend.reply(question(), notes)

    reply = with_engine(embedded(tiny.parent), go)
    assert reply.failure is None
    assert notes[:2] == [Loading("tiny.gguf"), Asked("tiny.gguf")]
    pieces = [note for note in notes if isinstance(note, Delta)]
    assert len(pieces) > 5
    assert "".join(piece.text for piece in pieces) == reply.content != ""
    assert reply.tokens.completion == 24
    assert (reply.tokens.prompt or 0) > 20
    assert reply.done_reason == "length"
    assert reply.cut_by is not None
    assert reply.cut_by.limit == "max_tokens"
    latency = reply.latency
    assert None not in (latency.total, latency.load, latency.first_token, latency.prompt, latency.generation)


def test_the_same_seed_gives_the_same_text(tiny: Path) -> None:
    """In one engine and in another one; another seed gives another text."""
    off = {"cache_prompt": False}
    first, again, other = answers(
        embedded(tiny.parent), question(options=off), question(options=off), question(options={**off, "seed": 2})
    )
    assert first.content == again.content != other.content
    [later] = answers(embedded(tiny.parent), question(options=off))
    assert later.content == first.content


@pytest.mark.slow  # several threads wait for one another, which takes long where others want the processors too
def test_threads_do_not_decide_what_is_said(tiny: Path) -> None:
    """How many there are is measured, and must not matter."""
    one, two, three = (casting(options={"threads": number, "cache_prompt": False}) for number in (1, 2, 3))
    asks = [question("word " * 99, cast=cast, options={"cache_prompt": False}) for cast in (one, two, three)]
    [first], [second], [third] = (answers(embedded(tiny.parent), ask) for ask in asks)
    assert first.content == second.content == third.content


def test_a_stop_text_ends_a_reply(tiny: Path) -> None:
    """It is not part of what is heard."""
    [whole] = answers(embedded(tiny.parent), question())
    word = whole.content.split()[4]
    [reply] = answers(embedded(tiny.parent), question(options={"stop": [word]}))
    assert reply.done_reason == "stop"
    assert reply.content == whole.content.partition(word)[0]
    assert reply.cut_by is None


def test_a_structured_reply_keeps_to_its_form(tiny: Path) -> None:
    """Whatever the seed: the grammar allows nothing else, and the text is held against the schema all the same."""
    asks = [question(format=FORM, options={"num_predict": 300, "seed": seed}) for seed in range(5)]
    for reply in answers(embedded(tiny.parent), *asks):
        data, wrong = parse(reply.content, FORM)
        assert not wrong
        assert set(data) == {"approved", "why"}


def test_a_form_holds_for_a_raw_text_too(tiny: Path) -> None:
    """With `api: generate` there is a schema as well."""
    cast = casting(api="generate")
    [reply] = answers(embedded(tiny.parent), question(cast=cast, format=FORM, options={"num_predict": 300}))
    assert not parse(reply.content, FORM)[1]


def test_a_form_that_no_grammar_can_be_made_of_is_refused(tiny: Path) -> None:
    """The engine's own words say why, and the next request is answered."""
    wrong, right = answers(embedded(tiny.parent), question(format={"$ref": "#/nope"}), question())
    assert wrong.failure is not None
    assert wrong.failure.kind == "refused"
    assert "tiny.gguf refused the request: JSON schema error at #" in wrong.failure.message
    assert right.failure is None


def test_a_prompt_that_does_not_fit_is_an_overflow(tiny: Path) -> None:
    """With the figures: the engine refuses it, and does not shorten it."""
    cast = casting(options={"num_ctx": 256})
    [reply] = answers(embedded(tiny.parent), question("word " * 400, cast=cast))
    assert reply.failure is not None
    assert reply.failure.kind == "overflow"
    assert "does not fit the context window of 256 of tiny.gguf" in reply.failure.message


def test_a_window_that_is_full_cuts_the_reply(tiny: Path) -> None:
    """The reply is kept, and says what would help."""
    cast = casting(options={"num_ctx": 256})
    [reply] = answers(embedded(tiny.parent), question("a", cast=cast, format=ENDLESS, options={"num_predict": 2000}))
    assert reply.failure is None
    assert reply.cut_by is not None
    assert reply.cut_by.limit == "num_ctx"
    assert reply.content


def test_a_reply_that_takes_too_long_is_cut(tiny: Path) -> None:
    """By `reply_time`; the words until then are kept."""
    [reply] = answers(embedded(tiny.parent), question(format=ENDLESS, reply_time=0.05, options={"num_predict": 3500}))
    assert reply.cut_by is not None
    assert reply.cut_by.limit == "reply_time"
    assert reply.content.startswith("[")


def test_a_reply_that_nobody_waits_for_any_more_ends(tiny: Path) -> None:
    """A cancelled request is over at its next token: its slot answers the next one at once."""

    async def go(backend: Embedded) -> Reply:
        begun = asyncio.Event()
        long = question(format=ENDLESS, options={"num_predict": 3500})
        task = asyncio.create_task(backend.reply(long, lambda note: begun.set() if isinstance(note, Delta) else None))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await backend.reply(question())

    reply = with_engine(embedded(tiny.parent), go)
    assert reply.failure is None
    assert reply.tokens.completion == 24


def test_an_engine_that_says_nothing_is_given_up(tiny: Path) -> None:
    """Before the first token that is a failure, after it a cut; an engine that is awake again answers."""

    async def go(backend: Embedded) -> list[Reply]:
        await backend.reply(question())
        [process] = processes(backend)
        os.kill(process, signal.SIGSTOP)
        silent = await backend.reply(question(timeout=0.1, options={"num_predict": 1}))
        os.kill(process, signal.SIGCONT)

        def stop(note: Progress) -> None:
            if isinstance(note, Delta):
                os.kill(process, signal.SIGSTOP)

        long = replace(question(format=ENDLESS, options={"num_predict": 3500}), gap=0.1)
        stalled = await backend.reply(long, stop)
        os.kill(process, signal.SIGCONT)
        return [silent, stalled, await backend.reply(question())]

    silent, stalled, awake = with_engine(embedded(tiny.parent), go)
    assert silent.failure is not None
    assert silent.failure.kind == "timeout"
    assert stalled.cut_by is not None
    assert stalled.cut_by.limit == "gap"
    assert stalled.content
    assert awake.failure is None


def test_an_engine_that_dies_is_started_again(tiny: Path) -> None:
    """The reply under way has failed, and another try is worth it."""

    async def go(backend: Embedded) -> tuple[Reply, Reply]:
        def kill(note: Progress) -> None:
            if isinstance(note, Delta):
                os.kill(processes(backend)[0], signal.SIGKILL)

        long = question(format=ENDLESS, options={"num_predict": 3500})
        return await backend.reply(long, kill), await backend.reply(question())

    dead, alive = with_engine(embedded(tiny.parent), go)
    assert dead.failure is not None
    assert dead.failure.retry
    assert "The engine died under tiny.gguf: its process was ended by SIGKILL" in dead.failure.message
    assert alive.failure is None
    assert alive.latency.load is not None


def test_each_role_keeps_its_prefix(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two roles of one model have a slot each, so that what one says does not take the other's from the cache."""
    bodies = sent(monkeypatch)

    async def go(backend: Embedded) -> None:
        await backend.preflight([casting(), casting()], 30)
        for role in ("anna", "ben", "anna", "carla"):
            await backend.reply(question(role=role))

    with_engine(embedded(tiny.parent), go)
    assert [body.get("id_slot") for body in bodies] == [0, 1, 0, None]


def test_what_a_role_says_of_sampling_and_thinking_is_sent(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Options that the engine has go by its names; a model whose template knows of no thinking is told nothing."""
    bodies = sent(monkeypatch)
    options = {"top_k": 5, "min_p": 0.1, "repeat_penalty": 1.2, "num_keep": 4, "num_ctx": 512, "temperature": 0.3}
    answers(embedded(tiny.parent), question(options=options, cast=casting(think=True)))
    [body] = bodies
    assert {name: body[name] for name in ("top_k", "min_p", "repeat_penalty", "n_keep", "temperature")} == {
        "top_k": 5, "min_p": 0.1, "repeat_penalty": 1.2, "n_keep": 4, "temperature": 0.3,
    }  # fmt: skip
    assert not {"num_ctx", "chat_template_kwargs"} & set(body)
