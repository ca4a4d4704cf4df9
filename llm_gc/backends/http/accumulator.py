"""A reply as it comes in: what has been heard of it so far, and what it is in the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from llm_gc.backends.http.redact import NO_SECRETS, RedactingStream, Redactor
from llm_gc.backends.http.stream import BadLine, ErrorLine, Event, StreamDecoder, StreamEnd, StreamLast, StreamPiece
from llm_gc.backends.http.thinking import Parted, Thoughts
from llm_gc.backends.http.timeouts import Spoken, cut_by_length
from llm_gc.backends.interface import Delta, Notify, TakenBack
from llm_gc.core.structured import parse
from llm_gc.protocol import Ask, Cut, Failure, Latency, Reply, Tokens


class Accumulator:
    """Gather the pieces of one reply, without the server's secrets, and pass them on as they come."""

    def __init__(
        self,
        decoder: StreamDecoder,
        thoughts: Thoughts,
        notify: Notify,
        clock: Callable[[], float],
        redactor: Redactor = NO_SECRETS,
    ) -> None:
        """Begin to listen: the request is sent now."""
        self._decoder, self._thoughts, self._notify, self._clock = decoder, thoughts, notify, clock
        self._redactor, self._said, self._thought = redactor, RedactingStream(redactor), RedactingStream(redactor)
        self._text: list[str] = []
        self._thinking: list[str] = []
        self._tool_calls: list[Any] = []
        self._began = clock()
        self._first: float | None = None
        self.count = 0
        self.end: StreamEnd | None = None
        self.is_spoken = False
        self.trouble: ErrorLine | BadLine | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more is waited for."""
        return self.end is not None or self.trouble is not None

    def feed(self, data: bytes) -> None:
        """Take what came over the wire."""
        self._take(self._decoder.feed(data))

    def finish(self) -> None:
        """Note that nothing more comes."""
        self._take(self._decoder.finish())

    def spoken(self, wanted: Any) -> Spoken:
        """Return how far the reply is."""
        seconds = self._clock() - self._began
        first = seconds if self._first is None else self._first
        return Spoken(self.count, seconds, first, wanted if isinstance(wanted, int) else None)

    def reply(
        self, ask: Ask, ended: Failure | Cut | None, load: float | None, seconds: float, other: str | None = None
    ) -> Reply:
        """Return what was heard as the reply to ``ask``; ``ended`` says why it is not whole.

        ``load`` are the seconds for which we had the model loaded, if we had to; ``other`` is who spoke instead of it.
        """
        self._part(self._said.finish(), self._thought.finish())
        self._pass_on(self._thoughts.finish())
        end, content = self.end or StreamEnd(tokens=Tokens(completion=self.count or None)), "".join(self._text)
        failure = ended if isinstance(ended, Failure) else None
        cut = ended if isinstance(ended, Cut) else cut_by_length(end, ask.options)
        if cut is not None and cut.limit == "max_time":
            seconds = max(seconds, ask.time_left or 0.0)  # nothing is left of it, whatever the clocks say
        if isinstance(ended, Cut) and ended.limit != "max_tokens" and not content.strip():
            failure, cut = Failure("timeout", ended.message), None
        return Reply(
            content=content,
            thinking="".join(self._thinking),
            done_reason=end.reason,
            tokens=end.tokens,
            latency=Latency(
                total=seconds,
                load=end.load if load is None else load,
                first_token=self._first,
                prompt=end.prompt,
                generation=end.generation,
                wait=end.wait,
            ),
            seconds=seconds,
            failure=failure,
            model=other,
            tool_calls=tuple(self._redactor.hide_in(self._tool_calls)),
            cut_by=cut if failure is None else None,
        )

    def _take(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, StreamPiece):
                self._hear(event)
            elif isinstance(event, StreamLast):
                self.is_spoken = True
            elif isinstance(event, StreamEnd):
                self.end = event.without(self._redactor)
                self.is_spoken = True
            else:
                self.trouble = event

    def _hear(self, piece: StreamPiece) -> None:
        if not (piece.text or piece.thinking or piece.tool_calls):
            return  # a sign of life is no token
        if self._first is None:
            self._first = self._clock() - self._began
        self._tool_calls += piece.tool_calls
        self.count += 1
        if piece.text or piece.thinking:
            self._part(self._said.feed(piece.text), self._thought.feed(piece.thinking))

    def _part(self, text: str, thinking: str) -> None:
        said, thought, back = self._thoughts.feed(text)
        self._pass_on(Parted(said, thinking + thought, back))

    def _pass_on(self, parted: Parted) -> None:
        if parted.back:
            self._thinking.append("".join(self._text))
            self._text.clear()
            self._notify(TakenBack())
        if parted.said or parted.thought:
            self._text.append(parted.said)
            self._thinking.append(parted.thought)
            self._notify(Delta(parted.said, parted.thought))


def structured_in(reply: Reply, schema: Any, notify: Notify) -> Reply:
    """Return a reply whose data its server took for thinking, with the data where they belong.

    Some servers look for the end of thinking, which never comes where a grammar allows nothing but data.
    """
    if schema is None or reply.failure is not None or reply.content.strip() or not reply.thinking.strip():
        return reply
    _, wrong = parse(reply.thinking, schema)
    if wrong:
        return reply
    notify(Delta(reply.thinking))
    return replace(reply, content=reply.thinking, thinking="")


def thoughts_of(ask: Ask) -> Thoughts:
    """Return how the reply to ``ask`` is parted: the texts in a structured one are left as they are."""
    return Thoughts(anywhere=ask.format is None, trim=ask.casting.api == "generate" and not ask.casting.raw)
