"""The backends by name: whoever can answer an ask."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from llm_gc.backends.base import Backend
from llm_gc.errors import LlmGcError, UsageError

NAMES = ("ollama", "rehearsal", "auto")


def make(
    name: str,
    host: str | None = None,
    environ: Mapping[str, str] | None = None,
    fallen_back: Callable[[LlmGcError], None] = lambda _: None,
) -> Backend:
    """Give the backend of that name; ``fallen_back`` is told why ``auto`` takes the stand-in.

    Raises:
        UsageError: where there is none of that name.

    """
    if name == "rehearsal":
        from llm_gc.backends.rehearsal import Rehearsal

        return Rehearsal()
    if name not in NAMES:
        raise UsageError(f"there is no backend {name!r}; the backends are: {', '.join(NAMES)}")
    from llm_gc.backends.ollama import Ollama

    ollama = Ollama(host, environ=environ or {})
    if name == "ollama":
        return ollama
    from llm_gc.backends.auto import Auto

    return Auto(ollama, fallen_back)
