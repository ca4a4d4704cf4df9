"""wrappers: the same answer, sent in another way; they can be put around one another."""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from .acts import Act, Head, Wait
from .behaviour import Behaviour, Job


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
