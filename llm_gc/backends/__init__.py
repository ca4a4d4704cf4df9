"""The backends by name: whoever can answer an ask."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from llm_gc.backends.interface import Backend
from llm_gc.errors import LlmGcError, UsageError

if TYPE_CHECKING:
    from llm_gc.backends.embedded.model_store import ModelStore

NAMES = ("ollama", "openai", "embedded", "rehearsal", "auto")
SERVERS = ("ollama", "openai", "embedded")
"""Those that ask a model: what a role's ``backend`` may be."""

NO_ENVIRONMENT: Mapping[str, str] = MappingProxyType({})


def make(
    name: str | None = None,
    host: str | None = None,
    environ: Mapping[str, str] = NO_ENVIRONMENT,
    fallen_back: Callable[[LlmGcError], None] = lambda _: None,
    models: ModelStore | None = None,
) -> Backend:
    """Return the backend of that name; without one, each role is asked as it says, of Ollama where it says nothing.

    ``fallen_back`` is told why ``auto`` takes the stand-in. ``models`` finds the files of embedded models: those of a
    pipeline beneath its project alone, without one beneath the working directory.

    Raises:
        UsageError: where there is none of that name, or ``host`` is no address.

    """
    if name == "rehearsal":
        from llm_gc.backends.rehearsal import Rehearsal

        return Rehearsal()
    if name is not None and name not in NAMES:
        raise UsageError(f"there is no backend {name!r}; the backends are: {', '.join(NAMES)}")
    servers = _servers(name if name in SERVERS else None, host, environ, models)
    if name != "auto":
        return servers
    from llm_gc.backends.auto import Auto

    return Auto(servers, fallen_back)


def _servers(kind: str | None, host: str | None, environ: Mapping[str, str], models: ModelStore | None) -> Backend:
    from llm_gc.backends.dispatch import ByServerKind
    from llm_gc.backends.http.hosts import base_url
    from llm_gc.backends.http.redact import vault_of

    wrong = base_url(host).wrong
    if wrong:
        raise UsageError(f"--host: {wrong}; give an address such as http://127.0.0.1:11434")

    vault = vault_of(environ, host)

    def ollama() -> Backend:
        from llm_gc.backends.ollama import Ollama

        return Ollama(host, environ=environ, vault=vault)

    def openai() -> Backend:
        from llm_gc.backends.openai import OpenAI

        return OpenAI(host, environ=environ, vault=vault)

    def embedded() -> Backend:
        from llm_gc.backends.embedded.backend import Embedded
        from llm_gc.backends.embedded.model_store import ModelStore

        return Embedded(models or ModelStore(Path.cwd(), environ=environ))

    makers = {"ollama": ollama, "openai": openai, "embedded": embedded}
    return ByServerKind(makers, kind or "ollama", only=kind is not None)
