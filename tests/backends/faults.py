"""What a model server can do wrong or oddly: each with what must become of the turn that meets it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.standin import (
    ENGINE_GONE,
    ENGINE_STOPPED,
    NO_COUNTERS,
    QUEUE_FULL,
    Act,
    Body,
    Cut,
    Drip,
    Endless,
    Error,
    Garbage,
    Gzip,
    Hang,
    Head,
    HugeHeaders,
    Mangle,
    Raw,
    Redirect,
    Say,
    Split,
    Text,
    Together,
    Wait,
    WithHead,
)
from tests.standin.behaviours import Behaviour, Job

WORDS = "Ein guter Plan."
GOOD = Say(WORDS)
FIRST, GAP, WHOLE = 0.6, 0.25, 3
MAX_REPLY = 2_000_000


@dataclass(frozen=True)
class Line(Behaviour):
    """One line of so many bytes, which never gets to its end."""

    size: int

    def acts(self, job: Job) -> Iterator[Act]:
        """Send it, a little at a time."""
        yield Head()
        yield b'{"message":{"content":"'
        for _ in range(self.size // 100_000):
            yield b"x" * 100_000
            yield Wait(0)


@dataclass(frozen=True)
class Fault:
    """A behaviour, what comes after it where it is tried again, and the outcome: ``content``, or a ``kind`` of error.

    ``cut`` is the limit that ended a reply of which something had come.

    ``tries`` are the kinds of the attempts before; ``kept`` is what the transcript keeps of a reply that came to
    nothing; ``ends`` tells that nobody can continue. ``turn`` holds what else must be in the record.
    """

    name: str
    behaviours: tuple[Behaviour, ...]
    content: str = WORDS
    kind: str = ""
    tries: tuple[str, ...] = ()
    kept: str | None = None
    words: str = ""
    cut: str = ""
    turn: Mapping[str, Any] = field(default_factory=dict)


def _done(**more: Any) -> bytes:
    message = {"role": "assistant", "content": WORDS}
    return json.dumps({"model": "demo:1b", "message": message, "done": True, "done_reason": "stop", **more}).encode()


CALL = {"name": "search", "arguments": {"q": "x"}}
PARTIAL = "Ein guter"
REFUSED, SERVER, BROKEN, TIMEOUT = "refused", "server", "broken", "timeout"

GOOD_ENDS = [
    Fault("a delay before the first byte", (Say(WORDS, before=0.3),)),
    Fault("a byte at a time", (Drip(GOOD, 0),)),
    Fault("lines split anywhere", (Split(GOOD, every=7, pause=0),)),
    Fault("all lines in one write", (Together(GOOD, 100),)),
    Fault("text in the last line", (Say("Ein guter", tail=" Plan."),)),
    Fault("HTTP/1.0", (WithHead(GOOD, http="1.0"),)),
    Fault("a wrong content type", (WithHead(GOOD, content_type="text/html"),)),
    Fault("carriage returns and blank lines", (Mangle(GOOD, b"\n", b"\r\n\r\n"),)),
    Fault("a cut connection after the end", (Cut(GOOD, lines=4),)),
    Fault("a hang after the end", (Hang(GOOD, lines=4),)),
    Fault("one object in place of a stream", (Body(_done()),)),
    Fault("more after the end", (Body(_done() + b"\n" + b'{"error":"late"}\n'),)),
    Fault("no counters", (Say(WORDS, counters=NO_COUNTERS),), turn={"tokens": {"prompt": None, "completion": None}}),
    Fault(
        "wrong counters",
        (Body(_done(prompt_eval_count=-3, eval_count="7", eval_duration=None, load_duration=True)),),
        turn={"tokens": {"prompt": None, "completion": None}},
    ),
    Fault("no reason for the end", (Say(WORDS, done_reason=""),), turn={"done_reason": None}),
    Fault("NULs and escapes", (Say("a\0b\x1b[31m\u2028c"),), "a\0b\x1b[31m\u2028c"),
    Fault("half a character", (Mangle(Say("a@b"), b"@", b"\\ud83d"),), "a\N{REPLACEMENT CHARACTER}b"),
    Fault("invalid UTF-8", (Mangle(Say("a@b"), b"@", b"\xff\xfe"),), "a" + 2 * "\N{REPLACEMENT CHARACTER}" + "b"),
    Fault("tool calls beside the words", (Say(WORDS, tool_calls=[CALL]),)),
    Fault("a stray block of thinking", (Say(f"<think>Hm.</think>{WORDS}"),), turn={"thinking": "Hm."}),
]

CUTS = [
    Fault("a hang between lines", (Hang(GOOD, lines=2),), PARTIAL, cut="gap", words="sent nothing for"),
    Fault("a hang in a line", (Hang(GOOD, lines=1, extra=20),), "Ein", cut="gap", words="sent nothing for"),
    Fault("a stream without end", (Endless(gap=0.01),), "la ", cut="max_tokens", words="did not stop"),
    Fault("a slow stream without end", (Endless(gap=0.1),), "la ", cut="reply_time", words="would have sufficed"),
]

AFTER_ANOTHER_TRY = [
    Fault("503, then good", (Error(503, QUEUE_FULL), GOOD), tries=(SERVER,)),
    Fault("an engine that crashed, then good", (Error(500, ENGINE_STOPPED), GOOD), tries=(SERVER,)),
    Fault("an engine that crashes on the way, then good", (Say("Ein guter", error=ENGINE_GONE), GOOD), tries=(SERVER,)),
    Fault("a cut before the headers, then good", (Cut(), GOOD), tries=(BROKEN,)),
    Fault("a reset before the headers, then good", (Cut(reset=True), GOOD), tries=(BROKEN,)),
    Fault("an empty reply, then good", (Say(""), GOOD), tries=("empty",)),
    Fault("a cut in a line, then good", (Cut(GOOD, lines=2, extra=9), GOOD), tries=(BROKEN,)),
]

FAILURES = [
    Fault("503 for ever", 3 * (Error(503, QUEUE_FULL),), "", SERVER, (SERVER, SERVER), words="server busy"),
    Fault("cuts for ever", 3 * (Cut(GOOD, lines=2),), "", BROKEN, (BROKEN, BROKEN), PARTIAL, "in the middle"),
    Fault("a hang before the headers", (Hang(),), "", TIMEOUT, words="no token came"),
    Fault("a drip", (Drip(GOOD, 0.05),), "", TIMEOUT, words="within 0.6s"),
    Fault("a flood without end", (Endless("la " * 50_000),), "", "too_large", words="more than"),
    Fault("a line of 100 MB", (Line(100_000_000),), "", "too_large", words="given up"),
    Fault("an error line", (Say(PARTIAL, error="it broke"),), "", SERVER, (), PARTIAL, "it broke"),
    Fault("an error of the engine in text", (Error(400, '{"error":{"message":"no"}}'),), "", REFUSED, words="no"),
    Fault("no line at all", (Say("", done=False),), "", BROKEN, words="ended before"),
    Fault("no last line", (Say(PARTIAL, done=False),), "", BROKEN, (), PARTIAL, "ended before"),
    Fault("done: false in one object", (Body(_done(done=False)),), "", BROKEN, (), WORDS, "ended before"),
    Fault("garbage", (Garbage(),), "", BROKEN, words="no line of JSON"),
    Fault("garbage in the middle", (Mangle(GOOD, b'"done":false}\n', b"\0\n"),), "", BROKEN, words="no line of JSON"),
    Fault("a page", (Text(200, "<html>hello</html>", "text/html"),), "", BROKEN, words="sent as text/html"),
    Fault("no HTTP", (Raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"),), "", BROKEN, words="not HTTP"),
    Fault("huge headers", (HugeHeaders(GOOD, 300_000),), "", BROKEN, words="not HTTP"),
    Fault("gzip, unasked", (Gzip(GOOD),), "", BROKEN, words="encoded (gzip), unasked"),
    Fault("a chunk that is none", (Raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),), "", BROKEN),
    Fault("404 for the model", (Error(404, "model 'demo:1b' not found"),), "", REFUSED, words="ollama pull demo:1b"),
    Fault("404 for the path", (Text(404, "404 page not found"),), "", REFUSED, words="is this an Ollama server?"),
    Fault("403 without a word", (Error(403),), "", REFUSED, words="Host or Origin"),
    Fault("a redirect", (Redirect("http://evil.example/"),), "", REFUSED, words="redirects"),
    Fault("an option of the wrong type", (Error(500, 'option "x" must be of type array'),), "", REFUSED),
    Fault("out of memory", (Error(500, "cudaMalloc failed: out of memory"),), "", SERVER, words="ran out of memory"),
    Fault("tool calls alone", 2 * (Say("", tool_calls=[CALL]),), "", "empty", ("empty",), words="tool call"),
    Fault("empty replies", 2 * (Say(""),), "", "empty", ("empty",), words="empty reply"),
    Fault(
        "thinking up to the limit",
        (Say(WORDS, thinking=[f"hm {n} " for n in range(100)]),),
        "", "empty", (), words="All tokens went into thinking; raise max_tokens.",
    ),
]  # fmt: skip

FAULTS = [*GOOD_ENDS, *CUTS, *AFTER_ANOTHER_TRY, *FAILURES]
