"""What is found out about a server when it is examined, and not only what a run has to know of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from llm_gc.backends.base import ModelFacts

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
class Held:
    """A model that a server holds in memory: its bytes there, how many of them on a GPU, its window in tokens."""

    name: str
    bytes: int | None = None
    on_gpu: int | None = None
    window: int | None = None


@dataclass(frozen=True, slots=True)
class Listed:
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
    listed: tuple[Listed, ...] | None = None
    held: tuple[Held, ...] | None = None
    unsent: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    probes: Mapping[str, Probe] = field(default_factory=dict)

    def having(self, whereabouts: Whereabouts) -> list[str]:
        """Name the wanted models that are there."""
        return [name for name, record in self.models.items() if record.whereabouts == whereabouts]
