"""Which models a server holds, as far as this client has seen; it does no I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from llm_gc.backends.ollama.bodies import load_options
from llm_gc.backends.ollama.names import entry_of, normalise
from llm_gc.backends.wire.text import natural

FRESH = 1.0
"""For how many seconds a proof that a model is held needs no other."""

_Load = tuple[tuple[str, Any], ...]


class Shelf:
    """Remember for each model when and with which load options it was last seen to be held."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Begin with nothing seen."""
        self._clock = clock
        self._seen: dict[str, tuple[float, _Load]] = {}
        self._loaded: dict[str, _Load] = {}
        self._windows: dict[tuple[str, _Load], int] = {}

    def fresh(self, model: str, options: Mapping[str, Any]) -> bool:
        """Tell whether it is but a moment since ``model`` was seen to be held as ``options`` ask."""
        at, load = self._seen.get(normalise(model), (None, None))
        return at is not None and load == _load(options) and self._clock() - at < FRESH

    def saw(self, model: str, options: Mapping[str, Any]) -> None:
        """Note that the server holds ``model`` now."""
        self._seen[normalise(model)] = (self._clock(), _load(options))

    def loaded(self, model: str, options: Mapping[str, Any]) -> None:
        """Note that we have just had ``model`` loaded, for which others may have had to go."""
        self._seen.clear()
        self._loaded[normalise(model)] = _load(options)
        self.saw(model, options)

    def is_ours(self, model: str, options: Mapping[str, Any]) -> bool:
        """Tell whether we have had ``model`` loaded with these options ourselves."""
        return self._loaded.get(normalise(model)) == _load(options)

    def forget(self, model: str) -> None:
        """Note that something went wrong with ``model``."""
        self._seen.pop(normalise(model), None)

    def holds(self, listing: Any, model: str, options: Mapping[str, Any]) -> bool:
        """Tell whether ``listing``, from /api/ps, has ``model`` with the window that ``options`` ask for.

        A server may give another window than it was asked for: rounded, or no larger than the model was
        trained for. The one that we find after we had the model loaded is what these options get.
        """
        entry = entry_of(listing, model)
        if entry is None:
            return False
        window, name, load = natural(entry.get("context_length")), normalise(model), _load(options)
        if window is not None and self._loaded.get(name) == load:
            self._windows.setdefault((name, load), window)
        wanted = options.get("num_ctx")
        held = wanted is None or window is None or window in (wanted, self._windows.get((name, load)))
        if held:
            self.saw(model, options)
        return held


def _load(options: Mapping[str, Any]) -> _Load:
    return tuple(load_options(options).items())
