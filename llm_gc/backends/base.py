"""The face of a backend: whoever can say what it has before the start, and answer an ask.

A backend is asked twice. ``preflight`` comes before the first turn: it finds the server and the models, and gives the
facts that become part of the resolved document. ``reply`` answers one ask once; whatever goes wrong is a ``Failure``
in the reply, never an exception, so that a conversation can go on. Trying again is the driver's business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from llm_gc.protocol import Ask, Casting, Reply


class ModelFacts(NamedTuple):
    """What a server says of a model: its digest, what it can do, and the context window it will be given.

    One that ``is_leveled`` always thinks, and knows levels of it alone. One that ``drops_format`` keeps to no format
    where it is told not to think.
    """

    digest: str | None = None
    capabilities: tuple[str, ...] = ()
    num_ctx: int | None = None
    context_length: int | None = None
    is_leveled: bool = False
    drops_format: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known before the first turn. ``models`` is keyed by (host as the casting has it, model).

    ``warnings`` are worth telling, and no reason not to begin.
    """

    backend: str
    server: str | None = None
    models: Mapping[tuple[str | None, str], ModelFacts] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Loading:
    """The server has begun to load a model."""

    model: str


@dataclass(frozen=True, slots=True)
class Asked:
    """The request for a reply has been sent; from here on its time runs."""

    model: str


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of a reply as it streams."""

    text: str = ""
    thinking: str = ""


@dataclass(frozen=True, slots=True)
class TakenBack:
    """All that had streamed of a reply until now was only thought."""


Progress = Loading | Asked | Delta | TakenBack
Notify = Callable[[Progress], None]


def ignore(_: Progress) -> None:
    """Take no notice of progress."""


class Backend(Protocol):
    """Whoever answers asks."""

    async def preflight(self, castings: Sequence[Casting], load_timeout: float, notify: Notify = ignore) -> Facts:
        """Find out what is there.

        Raises:
            ServerUnreachable: where nobody answers.
            ModelMissing: naming every model that is not there, with the way to get it.
            ServerError: where the server answers with an error.

        """

    async def reply(self, ask: Ask, notify: Notify = ignore) -> Reply:
        """Answer ``ask`` once, within its limits. Its request has been rendered already."""

    async def aclose(self) -> None:
        """Let go of every connection."""
