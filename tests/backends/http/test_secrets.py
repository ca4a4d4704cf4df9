"""What a server repeats of a key or a password reaches neither the conversation nor a message."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import pytest

from llm_gc.backends.interface import Delta
from llm_gc.backends.ollama import Ollama
from llm_gc.backends.openai import OpenAI
from llm_gc.errors import LlmGcError
from llm_gc.protocol import ModelConfig, Reply
from tests.backends.ollama.asking import Notes, an_ask, run
from tests.standin import Body, Error, Model, Raw, Redirect, Say, StandIn, Text
from tests.standin.behaviours import Behaviour, Job
from tests.standin.transport import Act

KEY = "sk-live-Qx7/9Zt3Wm1Kp5Rv"
PASSWORD = "p@ss\\wörd-7-Kq2"
BASIC = b64encode(f"me:{PASSWORD}".encode()).decode()
DEMO = Model("demo:1b")
Make = Callable[[StandIn], Ollama | OpenAI]


def by_key(server: StandIn) -> OpenAI:
    """A backend that shows a key."""
    return OpenAI(server.url, environ={"OPENAI_API_KEY": KEY})


def by_password(server: StandIn) -> Ollama:
    """A backend that shows a name and a password."""
    return Ollama(server.url.replace("://", f"://me:{PASSWORD}@"))


KINDS: dict[str, tuple[Make, tuple[str, ...]]] = {"key": (by_key, (KEY,)), "password": (by_password, (PASSWORD, BASIC))}
CASES = [(kind, secret) for kind, (_, secrets) in KINDS.items() for secret in secrets]


def escaped(text: str) -> str:
    """A text in the escapes of JSON."""
    return "".join(f"\\u{ord(char):04x}" for char in text)


class InHeader(Behaviour):
    """An answer with a header that is none."""

    def __init__(self, text: str) -> None:
        self.text = text

    def acts(self, job: Job) -> Iterator[Act]:
        """Answer."""
        return Raw(f"HTTP/1.1 200 OK\r\nX-Auth {self.text}\r\n\r\n".encode()).acts(job)


ANSWERS: dict[str, Callable[[str], Behaviour]] = {
    "an error": lambda secret: Error(400, f"wrong key {secret}!"),
    "an error in text": lambda secret: Text(401, f"wrong key {secret}!"),
    "an error in escapes": lambda secret: Text(400, f'{{"error": "{escaped(secret)}"}}', "application/json"),
    "an error that is cut short": lambda secret: Text(400, f'{{"error": "wrong key {secret[:-2]}'),
    "a long error": lambda secret: Error(500, "x" * 115 + secret + "y" * 100),
    "an error of the engine": lambda secret: Error(500, json.dumps({"error": {"message": secret, "code": secret}})),
    "a redirect": lambda secret: Redirect(f"http://me:{secret}@other.example/{secret}?key={secret}"),
    "a malformed header": InHeader,
    "a status": lambda secret: Raw(f"HTTP/1.1 2x0 {secret}\r\n\r\n".encode()),
    "a line that is none": lambda secret: Body(f"{'x' * 35}{secret}{'y' * 30}\n".encode()),
    "a content type": lambda secret: Text(200, "<html>", f"text/{secret.encode().decode('latin-1')}"),
    "an error on the way": lambda secret: Say("A good", error=f"bad {secret}"),
}  # fmt: skip


def reply_of(make: Make, *behaviours: Behaviour) -> tuple[Reply, Notes]:
    """The reply, and what was told on the way."""
    notes = Notes()
    with StandIn([DEMO]) as server:
        server.script(*behaviours)
        backend = make(server)

        async def go() -> Reply:
            try:
                return await backend.reply(an_ask(), notes)
            finally:
                await backend.aclose()

        return run(go()), notes


def is_clean(secret: str, *shown: object) -> bool:
    """Whether a secret, or its first twelve characters, is nowhere in something, in no writing of it."""
    text = "\n".join(item if isinstance(item, str) else repr(item) for item in shown)
    texts = (text, text.encode().decode("unicode_escape", "replace"))
    return not any(part in one for part in (secret[:12], escaped(secret[:12])) for one in texts)


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize(("kind", "secret"), CASES)
def test_a_failure_does_not_tell_it(kind: str, secret: str, answer: str) -> None:
    """However the server says it."""
    reply, notes = reply_of(KINDS[kind][0], ANSWERS[answer](secret))
    assert reply.failure is not None
    assert is_clean(secret, reply.failure.message, asdict(reply), notes)
    assert "(the " in reply.failure.message


@pytest.mark.parametrize("size", [1, 2, 5, 11, 12, 13, 100])
@pytest.mark.parametrize("field", ["content", "thinking"])
@pytest.mark.parametrize(("kind", "secret"), CASES)
def test_a_reply_does_not_tell_it(kind: str, secret: str, field: str, size: int) -> None:
    """However it is cut into pieces; what is told on the way is the same, and as clean."""
    text = f"The key is {secret}, and {secret[:12]} begins it; {secret[:11]} is nothing."
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    model = Model("demo:1b", capabilities=("completion", "thinking"))
    notes = Notes()
    with StandIn([model]) as server:
        server.script(Say(pieces) if field == "content" else Say("ok", thinking=pieces))
        backend = KINDS[kind][0](server)

        async def go() -> Reply:
            try:
                return await backend.reply(an_ask(think=True, options={}), notes)
            finally:
                await backend.aclose()

        reply = run(go())
    marker = "(the key)" if kind == "key" else "(the password)"
    assert reply.failure is None
    found = getattr(reply, field)
    assert found == f"The key is {marker}, and {marker} begins it; {secret[:11]} is nothing."
    told = [note.text if field == "content" else note.thinking for note in notes if isinstance(note, Delta)]
    assert "".join(told) == found


def test_nothing_but_a_beginning_is_held_back() -> None:
    """A word that is none continues at once."""
    _, notes = reply_of(by_key, Say(["The ", "sky ", "s", "k", "-", "l", "o", "w."]))
    assert [note.text for note in notes if isinstance(note, Delta)] == ["The ", "sky ", "sk-lo", "w."]


def test_no_other_field_of_a_reply_tells_it() -> None:
    """The name of who spoke, why it ended, and what tools it calls for; also in pieces."""
    calls: list[Any] = [{"function": {"arguments": f'{{"k": "{KEY[:7]}'}}, {"function": {"arguments": f'{KEY[7:]}"}}'}}]
    events: list[Any] = [{"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]} for call in calls]
    events += [{"model": f"m {KEY}", "choices": [{"index": 0, "delta": {}, "finish_reason": f"by {KEY}"}]}]
    reply, _ = reply_of(by_key, Body(b"".join(b"data: " + json.dumps(event).encode() + b"\n" for event in events)))
    assert is_clean(KEY, asdict(reply))
    assert (reply.model, reply.done_reason) == ("m (the key)", "by (the key)")
    joined = "".join(call["function"]["arguments"] for call in reply.tool_calls)
    assert joined == '{"k": "(the key)"}'


def test_a_reply_that_is_cut_keeps_what_was_held_back() -> None:
    """What is no secret is not lost at the end."""
    reply, _ = reply_of(by_key, Say(["Think of ", "sk-", "li"], done=False))
    assert reply.content == "Think of sk-li"


FIRST = {"key": "/v1/models", "password": "/api/version"}


@pytest.mark.parametrize("answer", [name for name in ANSWERS if name not in ("an error on the way", "a long error")])
@pytest.mark.parametrize(("kind", "secret"), CASES)
def test_a_start_that_fails_does_not_tell_it(kind: str, secret: str, answer: str) -> None:
    """The first questions to a server have answers, too."""
    with StandIn([DEMO]) as server:
        server.intercept(FIRST[kind], ANSWERS[answer](secret))
        backend = KINDS[kind][0](server)

        async def go() -> None:
            try:
                await backend.preflight([ModelConfig("demo:1b")], 5.0)
            finally:
                await backend.aclose()

        with pytest.raises(LlmGcError) as raised:
            run(go())
    assert is_clean(secret, str(raised.value))


@pytest.mark.parametrize(("kind", "secret"), CASES)
def test_what_a_server_has_does_not_tell_it(kind: str, secret: str) -> None:
    """Not its version, not the names of its models, nor what it says of one."""
    with StandIn([DEMO]) as server:
        if kind == "key":
            server.intercept("/v1/models", Text(200, json.dumps({"data": [{"id": f"m-{secret}"}]})))
        else:
            server.intercept("/api/version", Text(200, json.dumps({"version": f"0.1 {secret}"})))
            models = {"models": [{"name": f"m-{secret}"}, {"name": "demo:1b", "digest": secret}]}
            server.intercept("/api/tags", *2 * [Text(200, json.dumps(models))])
        backend = KINDS[kind][0](server)

        async def go() -> Any:
            try:
                return await backend.examine(ModelConfig("demo:1b"), [ModelConfig("demo:1b")])
            finally:
                await backend.aclose()

        found = run(go())
    assert is_clean(secret, found)
    assert "(the " in repr(found)
