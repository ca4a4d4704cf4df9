"""faults: answers that are no replies: errors, raw bytes, silence, and connections that break."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from .acts import NDJSON, TEXT, Act, Drop, Head, Wait, Wire, answer, upto
from .behaviour import Behaviour, Job
from .errors import engine_error, error_object
from .gojson import encode


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
