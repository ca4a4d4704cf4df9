"""say: replies, as a model would give them or as a broken one would."""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import Any, NamedTuple

from .acts import Act, Head, Wait, answer
from .behaviour import Behaviour, Job
from .errors import error_object
from .gojson import encode, utf8
from .shapes import Done, Part, joined
from .speech import Ending, Limits, Token, speak, words

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
