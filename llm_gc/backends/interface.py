"""The interface of a backend: preflight facts, answering an ask, and examining its server for ``doctor``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

from llm_gc.protocol import Ask, ModelConfig, Reply


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


@dataclass(frozen=True, slots=True)
class Noticed:
    """Something about the server that the user should know; the reply comes all the same."""

    message: str


Progress = Loading | Asked | Delta | TakenBack | Noticed
Notify = Callable[[Progress], None]


def ignore(_: Progress) -> None:
    """Take no notice of progress."""


class Backend(Protocol):
    """Whoever answers asks."""

    async def preflight(self, castings: Sequence[ModelConfig], load_timeout: float, notify: Notify = ignore) -> Facts:
        """Find out what is there.

        Raises:
            ServerUnreachable: where nobody answers.
            ModelMissing: naming every model that is not there, with the way to get it.
            ServerError: where the server answers with an error.

        """

    async def reply(self, ask: Ask, notify: Notify = ignore) -> Reply:
        """Answer ``ask`` once, within its limits. Its request has been rendered already."""

    async def aclose(self) -> None:
        """Close every connection."""


Whereabouts = Literal["here", "missing", "elsewhere", "unknown"]
"""Whether a server has a model: ``elsewhere`` is one that it would pass on, ``unknown`` where it does not tell."""


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """What a server says of a model. ``bytes`` are those of its files, ``declared`` its own ``num_ctx`` in tokens.

    ``window`` is the one that a run gives it where no role says ``num_ctx``.
    """

    whereabouts: Whereabouts
    facts: ModelFacts = ModelFacts()
    declared: int | None = None
    bytes: int | None = None
    window: int | None = None


@dataclass(frozen=True, slots=True)
class HeldModel:
    """A model that a server holds in memory: its bytes there, how many of them on a GPU, its window in tokens."""

    name: str
    bytes: int | None = None
    on_gpu: int | None = None
    window: int | None = None


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A model that a server has on its disk."""

    name: str
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Probe:
    """What a model did with one small request, for a reply of a given form and without thinking.

    ``failure`` says why there was no reply; else ``wrong`` is how it did not fit the form, empty where it did.
    ``seconds`` are those of the reply, ``load`` those for which the model was loaded first.
    """

    failure: str = ""
    answered: bool = False
    wrong: str = ""
    thought: bool = False
    cut: bool = False
    seconds: float = 0.0
    load: float | None = None


@dataclass(frozen=True, slots=True)
class Examination:
    """One server, examined. ``models`` are those that are wanted there, by their names as they were cast.

    ``trouble`` says why nothing could be found out. ``listed`` and ``held`` are none where the server does not tell.
    ``unsent`` is, by model, what the server will not be told. With ``probes``, ``held`` are the models that were still
    loaded after all had been probed.
    """

    kind: str
    url: str
    source: str
    version: str | None = None
    trouble: str = ""
    is_absent: bool = False
    warnings: tuple[str, ...] = ()
    models: Mapping[str, ModelRecord] = field(default_factory=dict)
    listed: tuple[ListedModel, ...] | None = None
    held: tuple[HeldModel, ...] | None = None
    unsent: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    probes: Mapping[str, Probe] = field(default_factory=dict)

    def having(self, whereabouts: Whereabouts) -> list[str]:
        """Name the wanted models that are there."""
        return [name for name, record in self.models.items() if record.whereabouts == whereabouts]
