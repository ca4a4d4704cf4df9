"""The doctor's visit: examines every server that a pipeline wants, has its models got, and probes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from llm_gc.backends.dispatch import kind_of
from llm_gc.backends.embedded.backend import Embedded
from llm_gc.backends.embedded.model_store import ModelStore
from llm_gc.backends.gather import together
from llm_gc.backends.http.hosts import Login, base_url
from llm_gc.backends.http.redact import vault_of
from llm_gc.backends.interface import Probe
from llm_gc.backends.ollama import Ollama
from llm_gc.backends.ollama.pulling import Pulling
from llm_gc.backends.openai import OpenAI
from llm_gc.backends.probing import probe
from llm_gc.doctor.diagnosis import DoctorCase
from llm_gc.doctor.needs import Want
from llm_gc.errors import UsageError
from llm_gc.protocol import ModelConfig

ProgressCallback = Callable[[str, Pulling | None], None]
"""Is told which model is being got, and how far; with none, that it is about to begin."""


_Key = tuple[str, tuple[str, Login | None]]
"""The kind of a server, and what tells it from others."""


_Examined = Ollama | OpenAI | Embedded


@dataclass(frozen=True)
class _ServerPlace:
    """A server: the backend that speaks to it, a casting that is played there, and what is wanted of it."""

    backend: _Examined
    casting: ModelConfig
    wants: tuple[Want, ...] = ()

    @property
    def castings(self) -> list[ModelConfig]:
        return [want.casting for want in self.wants]

    def of(self, model: str) -> ModelConfig:
        return next(casting for casting in self.castings if casting.model == model)


class DoctorExamination:
    """One visit. Close it at the end."""

    def __init__(
        self,
        wants: Sequence[Want],
        host: str | None,
        environ: Mapping[str, str],
        kind: str = "ollama",
        models: ModelStore | None = None,
    ) -> None:
        """Take what is wanted, and where: the server of that ``kind`` at ``host`` where a role says nothing.

        ``models`` finds the files of embedded models, without it those that have names.

        Raises:
            UsageError: where nothing says where a server is.

        """
        wrong = base_url(host).wrong
        if wrong:
            raise UsageError(f"--host: {wrong}; give an address such as http://127.0.0.1:11434")
        vault = vault_of(environ, host)
        self._ollama = Ollama(host, environ=environ, vault=vault)
        self._openai = OpenAI(host, environ=environ, vault=vault)
        self._embedded = Embedded(models or ModelStore(Path.cwd(), environ=environ))
        self._places: dict[_Key, _ServerPlace] = {}
        for want in wants:
            key = self._place(want.casting)
            self._places[key] = replace(self._places[key], wants=(*self._places[key].wants, want))
        if not wants:
            self._place(ModelConfig("", backend=kind))

    async def examine(self) -> list[DoctorCase]:
        """Examine every server, and have nothing loaded."""
        places = list(self._places.values())
        found = await together(place.backend.examine(place.casting, place.castings) for place in places)
        return [DoctorCase(server, place.wants) for server, place in zip(found, places, strict=True)]

    async def pull(self, cases: Sequence[DoctorCase], told: ProgressCallback) -> None:
        """Make every Ollama server pull the models that it lacks, one after the other.

        Raises:
            ServerError: where one does not reached a good end.

        """
        for case, place in zip(cases, self._places.values(), strict=True):
            backend = place.backend
            if isinstance(backend, Ollama):
                for model in case.server.having("missing"):
                    told(model, None)
                    await backend.pull(place.of(model), partial(told, model))

    async def probe(self, cases: Sequence[DoctorCase], told: Callable[[str], None]) -> list[DoctorCase]:
        """Ask every model that is there once, one after the other, and look which of them stay loaded."""
        probed: list[DoctorCase] = []
        for case, place in zip(cases, self._places.values(), strict=True):
            server, backend, probes = case.server, place.backend, dict[str, Probe]()
            for model in [*server.having("here"), *server.having("unknown")]:
                if "completion" in (server.models[model].facts.capabilities or ("completion",)):
                    told(model)
                    window = server.models[model].window
                    probes[model] = await probe(backend, _with_window(place.of(model), window))
            held = await backend.held(place.casting) if isinstance(backend, Ollama) and not server.trouble else None
            probed.append(DoctorCase(replace(server, probes=probes, held=held), case.wants))
        return probed

    def _place(self, casting: ModelConfig) -> _Key:
        kind = kind_of(casting, "ollama")
        backends: dict[str, _Examined] = {
            "ollama": self._ollama, "openai": self._openai, "embedded": self._embedded,
        }  # fmt: skip
        backend = backends[kind]
        key = (kind, backend.address(casting).key)
        self._places.setdefault(key, _ServerPlace(backend, casting))
        return key

    async def aclose(self) -> None:
        """Return the models back to their servers, and let go of every connection."""
        await together((self._ollama.aclose(), self._openai.aclose(), self._embedded.aclose()))


def _with_window(casting: ModelConfig, window: int | None) -> ModelConfig:
    """Return a casting with the window that a run would give it, where it has none."""
    if window is None or "num_ctx" in casting.options:
        return casting
    return replace(casting, options={**casting.options, "num_ctx": window})
