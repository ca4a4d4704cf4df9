"""What replies look like on the wire: words, thinking, tool calls, endings, figures."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.standin import ENGINE_GONE, NO_COUNTERS, Endless, Model, Say, StandIn
from tests.standin.client import MODEL, Pauses, ask, asking, chat, plug, said, until_silence
from tests.standin.server import PATIENCE

FIGURES = {"total_duration", "load_duration", "prompt_eval_count", "prompt_eval_duration"}
FIGURES |= {"eval_count", "eval_duration"}
CALL = {"name": "look", "arguments": {"at": "x"}}


@pytest.fixture
def server() -> Iterator[StandIn]:
    """One rendered model, a native one, and one that thinks."""
    thinker = Model("thinker", capabilities=("completion", "thinking", "tools"))
    with StandIn([Model(MODEL), Model("native", path="native"), thinker]) as server:
        yield server


def test_words_one_per_line(server: StandIn) -> None:
    """Each word is a line, the last line has no text but all the figures."""
    server.script(Say("A plan of it."))
    answer = chat(server)
    assert answer.contents == ["A", " plan", " of", " it.", ""]
    assert [line["done"] for line in answer.lines] == [False] * 4 + [True]
    assert answer.lines[-1]["done_reason"] == "stop"
    assert answer.lines[-1].keys() >= FIGURES
    assert answer.lines[-1]["eval_count"] == 5
    assert not FIGURES & answer.lines[0].keys()


def test_pieces_as_given(server: StandIn) -> None:
    """A sequence is not split any further, however large a piece is, and whatever is in it."""
    pieces = ["x" * 1_000_000, "a\0b", "\x1b[31m", "line\nfeed\r\ttab", '"\\', "é😀"]
    server.script(Say(pieces))
    assert chat(server).contents[:-1] == pieces


def test_pauses(server: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is one before the first word, and one between any two."""
    pauses = Pauses(monkeypatch)
    server.script(Say("one two three", before=0.1, gap=0.05))
    assert chat(server).contents == ["one", " two", " three", ""]
    assert pauses.seconds == [0.1, 0.05, 0.05]


def test_silence_includes_the_status(server: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """The status line is not sent before the first word."""
    pauses = Pauses(monkeypatch)
    pauses.hold()
    server.script(Say("late", before=0.3))
    with plug(server) as bare:
        assert until_silence(bare, 0.1) == b""
        pauses.let_go()
        bare.settimeout(10)
        assert bare.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("stream", [True, False])
def test_num_predict(server: StandIn, stream: bool) -> None:
    """A reply that reaches num_predict ends with length."""
    server.script(Say("one two three four"))
    answer = chat(server, stream=stream, options={"num_predict": 2})
    last = answer.lines[-1]
    assert "".join(answer.contents) == "one two"
    assert (last["done_reason"], last["eval_count"]) == ("length", 2)


def test_disobedient(server: StandIn) -> None:
    """A reply that obeys nothing is said to its end."""
    server.script(Say("one two three", obey=False))
    assert "".join(chat(server, options={"num_predict": 1, "stop": ["two"]}).contents) == "one two three"


@pytest.mark.parametrize(
    ("stop", "num_predict", "contents", "reason"),
    [
        (["two thr"], -1, ["one", " ", ""], "stop"),
        (["two four"], -1, ["one", " ", "two three", " four", ""], "stop"),
        (["two four", "one"], -1, [""], "stop"),
        (["two four"], 2, ["one", " ", ""], "length"),
        ([""], -1, [""], "stop"),
        ([], -1, ["one", " two", " three", " four", ""], "stop"),
    ],
)
def test_stop(server: StandIn, stop: list[str], num_predict: int, contents: list[str], reason: str) -> None:
    """What may be a stop string is held back; a match ends the reply, length loses what is held."""
    server.script(Say("one two three four"))
    answer = chat(server, options={"stop": stop, "num_predict": num_predict})
    assert answer.contents == contents
    assert answer.lines[-1]["done_reason"] == reason


def test_thinking(server: StandIn) -> None:
    """Thoughts are deltas of their own, before the content."""
    server.script(Say("Yes.", thinking="Is it?"), Say("Yes.", thinking="Is it?"))
    lines = chat(server, model="thinker").lines
    assert [line["message"].get("thinking") for line in lines] == ["Is", " it?", None, None]
    assert [line["message"]["content"] for line in lines] == ["", "", "Yes.", ""]
    assert chat(server, model="thinker", stream=False).json["message"]["thinking"] == "Is it?"


def test_budget_spent_on_thinking(server: StandIn) -> None:
    """Thoughts count: where they use everything up, nothing is said and length is the reason."""
    server.script(Say("Yes.", thinking="Is it so?"))
    answer = chat(server, model="thinker", stream=False, options={"num_predict": 3}).json
    assert (answer["message"]["content"], answer["done_reason"]) == ("", "length")


@pytest.mark.parametrize(("model", "line"), [("native", -1), (MODEL, -2)])
def test_tool_calls(server: StandIn, model: str, line: int) -> None:
    """Tool calls ride in the final chunk of the native path, in one before it of the other."""
    server.script(Say("Looking.", tool_calls=[CALL]))
    calls = [answer["message"].get("tool_calls") for answer in chat(server, model=model).lines]
    assert calls.pop(line) == [{"id": "call_00000000", "function": {"index": 0, **CALL}}]
    assert not any(calls)


def test_text_in_the_final_chunk(server: StandIn) -> None:
    """The final chunk can carry text."""
    server.script(Say("Almost", tail=" there."))
    assert chat(server).contents == ["Almost", " there."]


@pytest.mark.parametrize("reason", ["stop", "length", "load", "unload", "something new"])
def test_done_reason(server: StandIn, reason: str) -> None:
    """Any reason can be given."""
    server.script(Say("x", done_reason=reason))
    assert chat(server).lines[-1]["done_reason"] == reason


def test_figures(server: StandIn) -> None:
    """Figures can be left out, or be whatever one likes; a reason can be left out too."""
    server.script(Say("x", counters=NO_COUNTERS, done_reason=""), Say("x", counters={"eval_count": 77}))
    bare = chat(server).lines[-1]
    assert bare["done"]
    assert not bare.keys() & (FIGURES | {"done_reason"})
    assert chat(server).lines[-1]["eval_count"] == 77


def test_no_end(server: StandIn) -> None:
    """A stream can end cleanly without a final line, and without any line at all."""
    server.script(Say("half", done=False), Say(done=False))
    assert chat(server).contents == ["half"]
    answer = chat(server)
    assert (answer.status, answer.body) == (200, b"")


def test_no_end_without_streaming(server: StandIn) -> None:
    """The same as one object: not done, without figures; with nothing said, an object of zeros."""
    server.script(Say("half", done=False), Say(done=False))
    half = chat(server, stream=False).json
    assert (half["done"], half["message"]["content"]) == (False, "half")
    assert "done_reason" not in half
    assert chat(server, stream=False).json == {
        "model": "",
        "created_at": "0001-01-01T00:00:00Z",
        "message": {"role": "", "content": ""},
        "done": False,
    }


def test_error_in_the_middle(server: StandIn) -> None:
    """An error is a line of its own after some words; before them, or without streaming, it is a 500."""
    server.script(*[Say("some words", error=ENGINE_GONE)] * 2, Say(error=ENGINE_GONE))
    streamed = chat(server)
    assert (streamed.status, len(streamed.lines)) == (200, 3)
    assert streamed.lines[-1] == {"error": ENGINE_GONE}
    for answer in (chat(server, stream=False), chat(server)):
        assert (answer.status, answer.json) == (500, {"error": ENGINE_GONE})


@pytest.mark.parametrize(("model", "lines", "done"), [(MODEL, 31, False), ("native", 41, True)])
def test_repetition(server: StandIn, model: str, lines: int, done: bool) -> None:
    """Ollama breaks off, without a word, a reply that says the same 32 times; the engine does not."""
    server.script(Say([" la"] * 40))
    answer = chat(server, model=model)
    assert (len(answer.lines), answer.lines[-1]["done"]) == (lines, done)


@pytest.mark.parametrize(("model", "sampled"), [("native", 1), (MODEL, 3)])
def test_num_predict_zero(server: StandIn, model: str, sampled: int) -> None:
    """Zero is one token on the native path, and no limit on the other."""
    server.script(Say("one two"))
    assert chat(server, model=model, options={"num_predict": 0}).lines[-1]["eval_count"] == sampled


def test_prefill(server: StandIn) -> None:
    """On the native path the reply continues from the assistant's last message, and begins with it."""
    messages = [{"role": "user", "content": "Go"}, {"role": "assistant", "content": "I think"}]
    server.script(Say(" so."), Say(" so."))
    assert "".join(chat(server, model="native", messages=messages).contents) == "I think so."
    assert "".join(chat(server, messages=messages).contents) == " so."


def test_logprobs(server: StandIn) -> None:
    """Each line has the logprobs of its own tokens, if they are asked for."""
    server.script(Say("a é"), Say("a é"))
    lines = chat(server, logprobs=True, top_logprobs=2).lines
    assert [line["logprobs"][0]["token"] for line in lines[:-1]] == ["a", " é"]
    assert lines[1]["logprobs"][0]["bytes"] == list(" é".encode())
    assert len(lines[0]["logprobs"][0]["top_logprobs"]) == 2
    assert "logprobs" not in chat(server).lines[0]


def test_generate(server: StandIn) -> None:
    """Generate says the same in other keys, and gives the context unless it was raw."""
    server.script(Say("A plan.", thinking="Hm."), Say("A plan."), Say("A plan."))
    body: dict[str, Any] = {"model": MODEL, "prompt": "Plan"}
    lines = ask(server, "POST", "/api/generate", body).lines
    assert [line["response"] for line in lines] == ["", "A", " plan.", ""]
    assert lines[0]["thinking"] == "Hm."
    assert all("message" not in line for line in lines)
    assert isinstance(lines[-1]["context"][0], int)
    assert ask(server, "POST", "/api/generate", body | {"stream": False}).json["response"] == "A plan."
    assert "context" not in ask(server, "POST", "/api/generate", body | {"raw": True}).lines[-1]


def test_openai(server: StandIn) -> None:
    """The OpenAI side streams events, and gives figures if they are asked for."""
    server.script(Say("A plan.", tool_calls=[CALL]), Say("A plan."))
    body = said(stream=True, stream_options={"include_usage": True})
    events = ask(server, "POST", "/v1/chat/completions", body).text.removesuffix("\n\n").split("\n\n")
    assert events.pop() == "data: [DONE]"
    chunks = [json.loads(event.removeprefix("data: ")) for event in events]
    assert [choice["delta"].get("content") for chunk in chunks for choice in chunk["choices"]] == [
        "A",
        " plan.",
        "",
        None,
    ]
    assert chunks[2]["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"] == '{"at":"x"}'
    assert chunks[-1]["usage"]["completion_tokens"] == 3
    whole = ask(server, "POST", "/v1/chat/completions", said()).json
    assert whole["choices"][0]["message"]["content"] == "A plan."


def test_go_escapes(server: StandIn) -> None:
    """On the wire some characters are escaped as Go escapes them, and no others."""
    server.script(Say(["<a> & \u2028\u2029é\x00\x7f\ud800"]))
    body = chat(server).body
    assert '"content":"\\u003ca\\u003e \\u0026 \\u2028\\u2029é\\u0000\x7f\ufffd"'.encode() in body


@pytest.mark.parametrize(
    ("nanoseconds", "written"),
    [
        (1_767_323_045_678_900_000, "2026-01-02T03:04:05.6789Z"),
        (1_767_323_045_000_000_001, "2026-01-02T03:04:05.000000001Z"),
        (1_767_323_045_000_000_000, "2026-01-02T03:04:05Z"),
    ],
)
def test_times(nanoseconds: int, written: str) -> None:
    """Times have as many digits as they need, which may be none."""
    with StandIn([Model(MODEL)], clock=lambda: nanoseconds) as server:
        server.script(Say("x"))
        assert {line["created_at"] for line in chat(server).lines} == {written}


@pytest.mark.parametrize("lines", [True, False])
def test_endless(server: StandIn, lines: bool) -> None:
    """A reply without end continues until the client leaves: as lines, or as one line."""
    server.script(Endless("la ", lines=lines))
    with asking(server, "POST", "/api/chat", said(options={"num_predict": 1})) as response:
        body = response.read(3_000_000)
    assert len(body) == 3_000_000
    assert (body.count(b"\n") > 10_000) == lines
    assert server.chats[0].gone.wait(PATIENCE)
