"""How long a server keeps each model of a run loaded, and what it would do without us; it does no I/O.

While a conversation runs, its models are to stay loaded between their turns; afterwards the server is to keep them no
longer than it would have done by itself. What that is nobody tells: it shows in /api/ps before our first request, or
right after a load for which we asked for nothing, as the time until the model would be unloaded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from llm_gc.backends.ollama.bodies import load_options
from llm_gc.backends.ollama.names import entry_of, normalise
from llm_gc.protocol import Ask

DEFAULT = 300
"""For how many seconds a server keeps a model, if nobody tells it otherwise."""

FOREVER = -1
_AGES = 10 * 365 * 86400


@dataclass
class _Kept:
    """A model that we use: by which name and load options, until when it stays, and what we found."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    until: float = math.inf
    before: int | None = None
    is_ours: bool = False


class Keeping:
    """Remember for each model how long it is kept."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Begin with nothing known."""
        self._clock = clock
        self._models: dict[str, _Kept] = {}

    def knows(self, model: str) -> bool:
        """Tell whether it is known what the server would do with ``model``."""
        kept = self._models.get(normalise(model))
        return kept is not None and (kept.before is not None or kept.is_ours)

    def learn(self, listing: Any, now: datetime, model: str, *, loaded: bool) -> None:
        """Take from ``listing`` for how long the server keeps ``model`` by itself, unless we have told it otherwise.

        What somebody else had ``loaded`` may soon be due to go; our use of it renews its time as any use does.
        """
        kept = self._models.setdefault(normalise(model), _Kept(model))
        entry = entry_of(listing, model)
        left = _left(entry, now) if entry else None
        if left is not None and not self.knows(model):
            kept.before = FOREVER if left > _AGES else left if loaded else max(left, DEFAULT)

    def is_not_kept(self, model: str) -> None:
        """Note that the server lets go of ``model`` at once: it is gone right after its load."""
        self._models.setdefault(normalise(model), _Kept(model)).before = 0

    def ask(self, ask: Ask) -> int:
        """Give how long the model is to stay after this request, and note that the server was told so."""
        kept = self._models.setdefault(normalise(ask.model), _Kept(ask.model))
        kept.is_ours, kept.options = True, load_options(ask.options)
        self.renew(ask.model, kept_for(ask))
        return kept_for(ask)

    def renew(self, model: str, seconds: float) -> None:
        """Note that a model's time begins anew: it was just used."""
        kept = self._models.get(normalise(model))
        if kept is not None:
            kept.until = self._clock() + seconds

    def due(self, ask: Ask) -> list[tuple[str, Mapping[str, Any]]]:
        """Give the other models, with their load options, that could be unloaded while ``ask`` is answered."""
        late, own = self._clock() + longest(ask), normalise(ask.model)
        found = (kept for name, kept in self._models.items() if kept.is_ours and name != own and kept.until < late)
        return [(kept.name, kept.options) for kept in found]

    def given_back(self) -> list[tuple[str, Mapping[str, Any], int]]:
        """Give the models that we have had kept, their load options, and how long the server is to keep them now."""
        ours = [kept for kept in self._models.values() if kept.is_ours]
        return [(kept.name, kept.options, DEFAULT if kept.before is None else kept.before) for kept in ours]


def kept_for(ask: Ask) -> int:
    """Give for how many whole seconds a model is to stay: while another one, or two, are asked."""
    return math.ceil(max(DEFAULT, 2 * longest(ask)))


def longest(ask: Ask) -> float:
    """Return the seconds that an ask may take: a load, tries that come to nothing, and a reply.

    A reply that keeps coming has no limit of time of its own; it is reckoned at a token a second.
    """
    tokens = ask.options.get("num_predict")
    whole = ask.timeout + (tokens if isinstance(tokens, int) else 0)
    whole = whole if ask.deadline is None else min(whole, ask.deadline)
    return ask.load_timeout + ask.retries * ask.timeout + whole


def _left(entry: Mapping[str, Any], now: datetime) -> int | None:
    """Give the whole seconds until a model is unloaded."""
    try:
        until = datetime.fromisoformat(str(entry.get("expires_at")))
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(1, math.ceil((until - now).total_seconds()))
