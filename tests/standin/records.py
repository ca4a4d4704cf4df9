"""records: what the server has seen, for a test to look at and to wait for."""

import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from threading import Condition, Event
from time import monotonic
from typing import Any

from .options import LoadOptions


@dataclass(eq=False)
class Request:
    """A request as it was received, and what became of it.

    `gone` is set when the client closed the connection before the answer was complete, `answered`
    when the whole answer was handed to the socket. `prompt` and `prompt_tokens` are those of a
    request that generates.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    raw: bytes
    arrived_at: float = field(default_factory=monotonic)
    prompt: str = ""
    prompt_tokens: int = 0
    gone: Event = field(default_factory=Event)
    answered: Event = field(default_factory=Event)

    @cached_property
    def json(self) -> Any:
        """The parsed body, or None if it is not JSON."""
        try:
            return json.loads(self.raw)
        except ValueError:
            return None


@dataclass(frozen=True)
class Load:
    """A model that was loaded, for the first time or again."""

    model: str
    options: LoadOptions
    at: float


class Journal:
    """Everything that happened; `keep` limits how many requests are remembered."""

    def __init__(self, keep: int | None = None) -> None:
        """Begin an empty journal."""
        self.requests: deque[Request] = deque(maxlen=keep)
        self.chats: deque[Request] = deque(maxlen=keep)
        self.loads: list[Load] = []
        self.connections = 0
        self.bugs: list[BaseException] = []
        self._changed = Condition()

    def changed(self) -> None:
        """Wake those who wait."""
        with self._changed:
            self._changed.notify_all()

    def wait_until(self, holds: Callable[[], bool], timeout: float) -> None:
        """Wait until something holds, looking again whenever something happens."""
        with self._changed:
            if not self._changed.wait_for(holds, timeout):
                seen = [f"{request.method} {request.path}" for request in self.requests]
                raise TimeoutError(f"not in {timeout} s; requests so far: {seen}")
