"""behaviours: everything that the server can be made to say and do."""

import hashlib
import json
import random
import re
import zlib
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from time import perf_counter_ns
from typing import Any, NamedTuple

from .engine import Request
from .notation import ENGINE_GONE, encode, engine_error, error_object, utf8
from .prompts import Prompt
from .requests import (
    Call,
    Done,
    Message,
    Model,
    Part,
    Shape,
    TemplateError,
    characters,
    chatml,
    each_character,
    example,
    joined,
)
from .transport import NDJSON, TEXT, Act, Drop, Head, Wait, Wire, answer, upto

# --- a model's tokens to what the server lets out of them, under the limits of a request.
#
# Theory of operation: `speak` is a generator without I/O. It takes the tokens a model would sample and
# yields one event for each, in which text may be missing (held back, because it may be the beginning of
# a stop string) or may have gathered. What it returns says how the reply ended.


_WORD = re.compile(r"\s*\S+|\s+$")

REPETITIONS = 31


class Token(NamedTuple):
    """A piece of a reply, thought or said."""

    text: str
    thought: bool = False


@dataclass(frozen=True)
class Limits:
    """What ends a reply early; None is no limit. `guard` ends one that repeats itself."""

    tokens: int | None = None
    stop: tuple[str, ...] = ()
    guard: bool = False


class Ending(NamedTuple):
    """How a reply ended (None: aborted without a word) and how many tokens were sampled."""

    reason: str | None
    sampled: int


def words(text: str | Sequence[str]) -> Sequence[str]:
    """Text word by word, blanks in front; pieces that are given stay as they are."""
    return _WORD.findall(text) if isinstance(text, str) else text


def speak(tokens: Iterable[Token], limits: Limits) -> Generator[Token, None, Ending]:
    """Send tokens until they are over, or a limit is reached."""
    holder, guard, sampled, thought = _Holder(limits.stop), _Guard(limits.guard), 0, False
    for token in tokens:
        sampled += 1
        if token.thought != thought:
            if held := holder.rest():
                yield Token(held, thought)
            thought = token.thought
        out = holder.take(token.text)
        if holder.stopped:
            if out:
                yield Token(out, thought)
            return Ending("stop", sampled)
        if guard.tired_of(out):
            return Ending(None, sampled)
        yield Token(out, thought)
        if sampled == limits.tokens:
            return Ending("length", sampled)
    if held := holder.rest():
        yield Token(held, thought)
    return Ending("stop", sampled + 1)


class _Holder:
    """Holds text back for as long as it may be the beginning of a stop string."""

    def __init__(self, stop: tuple[str, ...]) -> None:
        self.stop = stop
        self.held = ""
        self.stopped = False

    def take(self, text: str) -> str:
        """What can be let out now."""
        if not self.stop:
            return text
        text = self.held + text
        found = [place for stop in self.stop if (place := text.find(stop)) >= 0]
        self.stopped = bool(found)
        end = min(found) if found else len(text) - max(_overlap(text, stop) for stop in self.stop)
        self.held = text[end:]
        return text[:end]

    def rest(self) -> str:
        """What is still held, when no stop string can come any more."""
        held, self.held = self.held, ""
        return held


def _overlap(text: str, stop: str) -> int:
    """How much of the text's end is the beginning of a stop string."""
    longest = min(len(text), len(stop) - 1)
    return next((size for size in range(longest, 0, -1) if text.endswith(stop[:size])), 0)


class _Guard:
    """Notices a model that says the same thing again and again."""

    def __init__(self, watching: bool) -> None:
        self.watching = watching
        self.last: str | None = None
        self.times = 0

    def tired_of(self, text: str) -> bool:
        """Whether this was said too often in a row."""
        text = text.strip()
        self.times = self.times + 1 if text == self.last else 1
        self.last = text
        return self.watching and self.times > REPETITIONS


# --- what a script is made of, and what a behaviour may know of the request it answers.


@dataclass
class Job:
    """One request that generates.

    Times are nanoseconds of `perf_counter_ns`: it came, had a loaded model, had one of its slots.
    """

    request: Request
    call: Call
    model: Model
    options: Mapping[str, Any]
    num_ctx: int
    prompt: Prompt
    shape: Shape
    started: int
    loaded: int = 0
    begun: int = 0

    @property
    def native(self) -> bool:
        """Whether the engine, not Ollama, made the prompt."""
        return self.model.path == "native" and self.call.kind != "generate"

    @cached_property
    def limits(self) -> Limits:
        """What ends a reply to this request."""
        most = 10 * self.num_ctx
        tokens: int = self.options.get("num_predict", -1)
        if tokens == 0:
            tokens = 1 if self.native else most
        tokens = most if tokens < 0 else min(tokens, most)
        if not self.call.shift:
            tokens = min(tokens, max(1, self.prompt.window - self.prompt.tokens))
        return Limits(tokens, tuple(self.options.get("stop", ())), guard=not self.native)

    def counters(self, sampled: int, speaking_since: int) -> dict[str, Any]:
        """The figures of the final chunk."""
        now = perf_counter_ns()
        figures: dict[str, Any] = {}
        if self.call.kind == "generate" and not self.call.raw:
            figures["context"] = list(range(self.prompt.tokens - self.model.bos + sampled - 1))
        return figures | {
            "total_duration": now - self.started,
            "load_duration": max(1000, self.loaded - self.started),
            "prompt_eval_count": self.prompt.tokens,
            "prompt_eval_duration": max(1000, speaking_since - self.begun),
            "eval_count": sampled,
            "eval_duration": max(1000, now - speaking_since),
        }


class Behaviour(ABC):
    """One way to answer a request."""

    @property
    def occupies(self) -> bool:
        """Whether the answer takes a loaded model and one of its slots."""
        return True

    @abstractmethod
    def acts(self, job: Job) -> Iterator[Act]:
        """The answer, act by act."""


# --- replies, as a model would give them or as a broken one would.


NO_COUNTERS: Mapping[str, int] = {
    "context": 0,
    "total_duration": 0,
    "load_duration": 0,
    "prompt_eval_count": 0,
    "prompt_eval_duration": 0,
    "eval_count": 0,
    "eval_duration": 0,
}

# An endless line grows by so many characters at a time.
_ENOUGH = 1000


class Broken(NamedTuple):
    """The end of a reply that failed in the middle."""

    error: str


@dataclass(frozen=True)
class Say(Behaviour):
    """A reply: its words are streamed one per line, or its pieces, however large, if a sequence is given.

    It is what the model *would* say: `num_predict`, `stop` and a full window end it early, unless
    `obey` is false. `before` and `gap` are seconds of silence before the first and between lines.
    `tail` is text that rides in the final chunk. `done=False` ends without a final chunk, `error` with
    an error in its place. `done_reason` ("" for none) and `counters` (0 for absent) replace what
    would be computed. A tool call is `{"name": …, "arguments": {…}}`.
    """

    content: str | Sequence[str] = ""
    thinking: str | Sequence[str] = ""
    tool_calls: Sequence[Mapping[str, Any]] = ()
    tail: str = ""
    before: float = 0.0
    gap: float = 0.0
    obey: bool = True
    done: bool = True
    done_reason: str | None = None
    error: str = ""
    counters: Mapping[str, int] = field(default_factory=dict)

    def acts(self, job: Job) -> Iterator[Act]:
        if self.before:
            yield Wait(self.before)
        yield from (streamed if job.call.stream else whole)(self._parts(job), job)

    def _parts(self, job: Job) -> Iterator[Part | Wait | Broken]:
        speaking_since = perf_counter_ns()
        if job.prompt.prefill:
            yield Part(job.prompt.prefill)
        ending = yield from self._spoken(job)
        if self.error:
            yield Broken(self.error)
        elif self.done and ending.reason is not None:
            calls = [_tool_call(index, call) for index, call in enumerate(self.tool_calls)]
            if calls and not job.native:
                yield Part(tool_calls=calls)
            reason = ending.reason if self.done_reason is None else self.done_reason
            counters = {**job.counters(ending.sampled, speaking_since), **self.counters}
            yield Part(self.tail, tool_calls=calls if job.native else (), done=Done(reason, counters))

    def _spoken(self, job: Job) -> Generator[Part | Wait, None, Ending]:
        """The words that come out, in their rhythm."""
        tokens = [Token(piece, True) for piece in words(self.thinking)]
        tokens += [Token(piece) for piece in words(self.content)]
        speech, first = speak(tokens, job.limits if self.obey else Limits()), True
        while True:
            try:
                token = next(speech)
            except StopIteration as end:
                ending: Ending = end.value
                return ending
            if self.gap and not first:
                yield Wait(self.gap)
            first = False
            if token.text:
                yield _part(token, job.call.top_logprobs)


@dataclass(frozen=True)
class Endless(Behaviour):
    """A stream that never ends; without `lines` it is one line that never ends."""

    word: str = "la "
    gap: float = 0.0
    lines: bool = True

    def acts(self, job: Job) -> Iterator[Act]:
        if not job.call.stream:
            yield Wait(None)
        yield Head(content_type=job.shape.stream_type)
        piece = job.shape.line(Part(self.word))
        if not self.lines:
            yield piece.partition(utf8(self.word))[0]
            piece = utf8(self.word * max(1, _ENOUGH // len(self.word)))
        while True:
            yield piece
            if self.gap:
                yield Wait(self.gap)


def streamed(parts: Iterable[Part | Wait | Broken], job: Job) -> Iterator[Act]:
    """Parts as lines; nothing is sent, not even the status, before there is a first line."""
    begun = done = False
    for part in parts:
        if isinstance(part, Wait):
            yield part
            continue
        if isinstance(part, Broken) and not begun:
            yield from failed(part, job)
            return
        if not begun:
            yield Head(content_type=job.shape.stream_type)
            begun = True
        yield job.shape.failure(part.error) if isinstance(part, Broken) else job.shape.line(part)
        done = isinstance(part, Part) and part.done is not None
    if not begun:
        yield Head(content_type=job.shape.stream_type)
    if done and job.shape.end():
        yield job.shape.end()


def whole(parts: Iterable[Part | Wait | Broken], job: Job) -> Iterator[Act]:
    """Parts gathered into one object."""
    said: list[Part] = []
    for part in parts:
        if isinstance(part, Wait):
            yield part
        elif isinstance(part, Broken):
            yield from failed(part, job)
            return
        else:
            said.append(part)
    body = job.shape.whole(joined(said)) if said else job.shape.nothing()
    yield from answer(body, content_type=job.shape.whole_type)


def failed(broken: Broken, job: Job) -> Iterator[Act]:
    """A failure before anything was sent still gets a status of its own."""
    return answer(encode(error_object(job.request.path, 500, broken.error)), 500)


def _part(token: Token, top_logprobs: int | None) -> Part:
    logprobs = () if top_logprobs is None else (_logprob(token.text, top_logprobs),)
    return Part("", token.text, (), logprobs) if token.thought else Part(token.text, "", (), logprobs)


def _logprob(text: str, top: int) -> dict[str, Any]:
    """How likely a token was, and the one that came next."""
    likely = {"token": text, "logprob": -0.125, "bytes": list(text.encode())}
    others = [{"token": "?", "logprob": -2.25, "bytes": [63]}] * (top - 1)
    return likely | ({"top_logprobs": [likely, *others]} if top else {})


def _tool_call(index: int, call: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": f"call_{index:08x}", "function": {"index": index, **call}}


# --- answers that are no replies: errors, raw bytes, silence, and connections that break.


class Answer(Behaviour):
    """An answer without a model: nothing is loaded for it and no slot is taken."""

    @property
    def occupies(self) -> bool:
        return False


@dataclass(frozen=True)
class Error(Answer):
    """`{"error": …}` with a status; without a message the body is empty."""

    status: int
    message: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def acts(self, job: Job) -> Iterator[Act]:
        if self.message is None:
            return answer(b"", self.status, None, self.headers)
        error = error_object(job.request.path, self.status, self.message)
        return answer(encode(error), self.status, headers=self.headers)


@dataclass(frozen=True)
class EngineError(Answer):
    """An error of the engine, which reaches the client as JSON inside the text."""

    message: str
    type: str = "invalid_request_error"
    status: int = 400
    details: Mapping[str, object] = field(default_factory=dict)

    def acts(self, job: Job) -> Iterator[Act]:
        text = engine_error(self.message, self.type, self.status, **self.details)
        return Error(self.status, text).acts(job)


@dataclass(frozen=True)
class Text(Answer):
    """Any body with any status and type: a proxy's page, a plain 404."""

    status: int
    text: str
    content_type: str = TEXT

    def acts(self, job: Job) -> Iterator[Act]:
        return answer(self.text.encode(), self.status, self.content_type)


@dataclass(frozen=True)
class Redirect(Answer):
    """The way to another place."""

    location: str
    status: int = 307

    def acts(self, job: Job) -> Iterator[Act]:
        return answer(b"", self.status, None, {"Location": self.location})


@dataclass(frozen=True)
class Body(Answer):
    """A good head with any bytes under it."""

    data: bytes
    content_type: str = NDJSON

    def acts(self, job: Job) -> Iterator[Act]:
        yield Head(content_type=self.content_type)
        yield self.data


@dataclass(frozen=True)
class Garbage(Answer):
    """A body of bytes that mean nothing, the same ones each time."""

    size: int = 256
    seed: int = 0

    def acts(self, job: Job) -> Iterator[Act]:
        return Body(random.Random(self.seed).randbytes(self.size)).acts(job)


@dataclass(frozen=True)
class Raw(Answer):
    """Bytes straight to the socket, in place of HTTP; then the connection is closed."""

    data: bytes

    def acts(self, job: Job) -> Iterator[Act]:
        yield Wire(self.data)


@dataclass(frozen=True)
class Hang(Behaviour):
    """Silence: in place of an answer, or after `lines` lines and `extra` bytes of another one."""

    inner: Behaviour | None = None
    lines: int = 0
    extra: int = 0

    def acts(self, job: Job) -> Iterator[Act]:
        if self.inner:
            yield from upto(self.inner.acts(job), self.lines, self.extra)
        yield Wait(None)


@dataclass(frozen=True)
class Cut(Behaviour):
    """A connection that breaks: before the headers, or after `lines` lines and `extra` bytes."""

    inner: Behaviour | None = None
    lines: int = 0
    extra: int = 0
    reset: bool = False

    def acts(self, job: Job) -> Iterator[Act]:
        if self.inner:
            yield from upto(self.inner.acts(job), self.lines, self.extra)
        yield Drop(self.reset)


# --- the same answer, sent in another way; they can be put around one another.


@dataclass(frozen=True)
class Wrapper(Behaviour):
    """A behaviour that changes the acts of another one."""

    inner: Behaviour

    @property
    def occupies(self) -> bool:
        return self.inner.occupies


@dataclass(frozen=True)
class Split(Wrapper):
    """The body in pieces, with a pause after each: up to these offsets, or of `every` so many bytes."""

    at: Sequence[int] = ()
    every: int = 0
    pause: float = 0.002

    def acts(self, job: Job) -> Iterator[Act]:
        offset = 0
        for act in self.inner.acts(job):
            if not isinstance(act, bytes):
                yield act
                continue
            start = 0
            for border in self._borders(offset, offset + len(act)):
                yield act[start : border - offset]
                yield Wait(self.pause)
                start = border - offset
            if start < len(act):
                yield act[start:]
            offset += len(act)

    def _borders(self, start: int, end: int) -> Iterator[int]:
        """The borders in a piece of the body, its end included."""
        if self.every:
            return iter(range((start // self.every + 1) * self.every, end + 1, self.every))
        return iter(sorted(border for border in self.at if start < border <= end))


@dataclass(frozen=True)
class Drip(Wrapper):
    """The body byte by byte, one per interval."""

    interval: float = 0.001

    def acts(self, job: Job) -> Iterator[Act]:
        return Split(self.inner, every=1, pause=self.interval).acts(job)


@dataclass(frozen=True)
class Together(Wrapper):
    """Several lines in one write, whatever pauses were between them."""

    lines: int = 2

    def acts(self, job: Job) -> Iterator[Act]:
        held: list[bytes] = []
        for act in self.inner.acts(job):
            if isinstance(act, bytes):
                held.append(act)
            elif not (held and isinstance(act, Wait)):
                yield act
            if len(held) == self.lines:
                yield b"".join(held)
                held.clear()
        if held:
            yield b"".join(held)


@dataclass(frozen=True)
class Mangle(Wrapper):
    """Some bytes of the body replaced by others: invalid UTF-8, odd types, a line without its end."""

    old: bytes
    new: bytes

    def acts(self, job: Job) -> Iterator[Act]:
        for act in self.inner.acts(job):
            if isinstance(act, Head):
                yield replace(act, length=None)
            else:
                yield act.replace(self.old, self.new) if isinstance(act, bytes) else act


@dataclass(frozen=True)
class WithHead(Wrapper):
    """Another status, content type or version of HTTP, and more headers."""

    status: int | None = None
    content_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    http: str = "1.1"

    def acts(self, job: Job) -> Iterator[Act]:
        for act in self.inner.acts(job):
            yield self._changed(act) if isinstance(act, Head) else act

    def _changed(self, head: Head) -> Head:
        return replace(
            head,
            status=self.status or head.status,
            content_type=self.content_type or head.content_type,
            headers={**head.headers, **self.headers},
            http=self.http,
        )


@dataclass(frozen=True)
class HugeHeaders(Wrapper):
    """An answer whose headers are larger than most clients take."""

    size: int = 100_000

    def acts(self, job: Job) -> Iterator[Act]:
        return WithHead(self.inner, headers={"X-Padding": "x" * self.size}).acts(job)


@dataclass(frozen=True)
class Gzip(Wrapper):
    """The body compressed, as a proxy might do it, still piece by piece."""

    def acts(self, job: Job) -> Iterator[Act]:
        pack = zlib.compressobj(wbits=31)
        for act in self.inner.acts(job):
            if isinstance(act, Head):
                yield replace(act, length=None, headers={**act.headers, "Content-Encoding": "gzip"})
            elif isinstance(act, bytes):
                yield pack.compress(act) + pack.flush(zlib.Z_SYNC_FLUSH)
            else:
                yield act
        yield pack.flush()


# --- the reply that a model gives when no script says what it is to say.
#
# It depends on nothing but the prompt, the format and the seed, so the same request gets the same reply.


_OPENINGS = ("First,", "In short,", "I would say:", "Looking closely,", "To begin with,", "As a start,")
_SUBJECTS = ("the plan", "the reader", "each step", "a small test", "the next change", "one risk")
_VERBS = ("needs", "shows", "keeps", "covers", "explains", "removes", "depends on", "comes before")
_OBJECTS = ("a clear name", "the edge cases", "what was agreed", "the simplest way", "the data")


def improvise(job: Job, before: float = 0.0, gap: float = 0.0) -> Say:
    """A plausible reply: a few sentences, or the JSON that was asked for.

    Told not to think, gpt-oss does all the same, and then says nothing where a format is asked for.
    """
    chance = _chance(job)
    stubborn = job.model.family == "gptoss" and job.call.think is False
    thinks = job.model.can("thinking") and (job.call.think is not False or stubborn)
    thinking = f"Let me see. {_sentence(chance)}" if thinks else ""
    content = "" if stubborn and job.call.format is not None else _content(job, chance)
    return Say(content, thinking, before=before, gap=gap)


def _content(job: Job, chance: random.Random) -> str:
    wanted = job.call.format
    if isinstance(wanted, dict) and wanted:
        return json.dumps(example(wanted, chance), ensure_ascii=False)
    if wanted is not None and not job.native:
        return json.dumps({"answer": _sentence(chance)})
    return " ".join(_sentence(chance) for _ in range(chance.randint(1, 4)))


def _sentence(chance: random.Random) -> str:
    return " ".join(chance.choice(choices) for choices in (_OPENINGS, _SUBJECTS, _VERBS, _OBJECTS)) + "."


def _chance(job: Job) -> random.Random:
    """The same chance for the same request; a greedy reply does not depend on the seed."""
    greedy = job.options.get("temperature") == 0 or job.options.get("top_k") == 1
    seed = None if greedy else job.options.get("seed")
    key = repr((job.model.name, job.prompt.text, job.call.format, seed))
    return random.Random(hashlib.blake2b(key.encode("utf-8", "replace"), digest_size=8).digest())


# --- the models of the recorded exchanges, and what each was in the middle of saying.
#
# The recordings were made on a real server with tiny models of random weights. Each takes one token for
# each character, so the prompts' sizes can be held to the token. What only the weights decide (the words)
# is scripted from the recording; everything else has to come out by itself.


Exchange = dict[str, Any]

_FILE = Path(__file__).parent.parent / "data" / "ollama-wire.jsonl"

_STRICT = (
    "Unable to generate parser for this template. Automatic parser generation failed: \n------------\n"
    "While executing CallExpression at line 1, column 96 in source:\n"
    "...op.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user...\n"
    "                                           ^\n"
    "Error: Jinja Exception: Conversation roles must alternate user/assistant/user/assistant/..."
)


def alternating(messages: Sequence[Message], think: bool) -> str:
    """Only user and assistant, in turn."""
    if any(message.role != ("user", "assistant")[index % 2] for index, message in enumerate(messages)):
        raise TemplateError(_STRICT)
    return chatml(messages, think)


def question_and_answer(messages: Sequence[Message], think: bool) -> str:
    """Roles as plain words, and no marks at all."""
    return "".join(f"{message.role}: {message.content}\n" for message in messages) + "answer:"


def turns(messages: Sequence[Message], think: bool) -> str:
    """A template that opens the thinking itself, or closes it at once."""
    said = "".join(f"TURN<{message.role}> {message.content} END" for message in messages)
    return f"{said}TURN<assistant> " + ("<think>\n" if think else "<think>\n\n</think>\n\n")


_TINY = Model("tiny", context=2048, tokens=each_character, parameter_size="95K", quantization="unknown")

MODELS = [
    replace(_TINY, name="bytes", parameter_size="116K"),
    replace(_TINY, name="noeos"),
    replace(_TINY, name="rep"),
    replace(_TINY, name="native2", path="native", template=question_and_answer),
    replace(_TINY, name="think3", path="native", template=turns, capabilities=("thinking", "completion")),
    replace(_TINY, name="gotmpl", system="SYS", parameters={"temperature": 0.7, "stop": ["<|im_end|>"]}),
    replace(_TINY, name="strict", path="native", template=alternating),
]


@cache
def exchanges() -> list[Exchange]:
    """All recorded exchanges, in order."""
    return [json.loads(line) for line in _FILE.read_text(encoding="utf-8").splitlines()]


def behaviour(exchange: Exchange) -> Behaviour:
    """What the model says in this exchange; it never stops by itself where a limit stopped it."""
    answers = [json.loads(line) for line in _lines(exchange["response"])]
    said = characters("".join(_text(answer) for answer in answers))
    last = answers[-1] if answers else {}
    finish = [choice.get("finish_reason") for choice in last.get("choices", ())]
    if last.get("done_reason") == "stop" or "stop" in finish:
        return Say(said)
    if "error" in last:
        return Say(said, error=ENGINE_GONE)
    return Say(said + said[-1:], done=bool(said))


def _lines(response: Exchange) -> list[str]:
    """The JSON objects of an answer."""
    lines = [line.removeprefix("data: ") for line in response["body"].splitlines() if line]
    return [line for line in lines if line.startswith("{") and response["status"] == 200]


def _text(answer: Exchange) -> str:
    """What one object of an answer says."""
    choice = (answer.get("choices") or [{}])[0]
    said = answer.get("message") or choice.get("message") or choice.get("delta") or {}
    return str(answer.get("response", said.get("content", "")))
