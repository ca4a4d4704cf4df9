"""Whether the models fit into memory, as far as the server tells."""

from __future__ import annotations

from collections.abc import Iterator

from llm_gc.backends.ollama.names import normalise
from llm_gc.doctor.diagnosis import Case, Diagnosis, places
from llm_gc.doctor.sizes import share, size


def slow_memory(case: Case) -> Iterator[Diagnosis]:
    """A model is held partly outside of the GPU, and is slow for that."""
    for held in case.server.held or ():
        wants = [want for want in case.wants if normalise(want.casting.model) == normalise(held.name)]
        if wants and held.bytes and held.on_gpu and held.on_gpu < held.bytes:
            rest = share(held.bytes - held.on_gpu, held.bytes)
            message = (
                f"{held.name} is loaded with {rest} of its {size(held.bytes)} outside of the GPU, and is slow for that."
            )
            remedy = "Give it a smaller num_ctx, cast a smaller model, or unload others (`ollama stop`)."
            yield Diagnosis("slow-memory", "models", "warning", message, remedy, places(wants, "model"))


def crowded_memory(case: Case) -> Iterator[Diagnosis]:
    """The models do not stay loaded side by side: seen when all had been probed."""
    stayed, probed = case.stayed, [name for name, probe in case.server.probes.items() if not probe.failure]
    if stayed is None or len(probed) < 2:
        return
    gone = [name for name in probed if name not in stayed]
    if gone:
        message = (
            f"Only {len(probed) - len(gone)} of {len(probed)} models stay loaded side by side: "
            f"{', '.join(gone)} had to go. Each change to a model that is not loaded loads it anew."
        )
        remedy = (
            "Cast smaller models or fewer, give them a smaller num_ctx, let turns of one model follow one another, "
            "or raise OLLAMA_MAX_LOADED_MODELS where the server is started."
        )
        wants = [want for name in gone for want in case.of(name)]
        yield Diagnosis("crowded-memory", "models", "warning", message, remedy, places(wants, "model"))


def untold_memory(case: Case) -> Iterator[Diagnosis]:
    """Nobody knows beforehand whether several models fit side by side."""
    server = case.server
    names = server.having("here")
    if server.kind != "ollama":
        if names:
            yield Diagnosis("untold", "models", "note", "OpenAI's API does not tell what is loaded, nor how it fits.")
        return
    held = {normalise(one.name) for one in server.held or ()}
    if len(names) > 1 and case.stayed is None and not held >= {normalise(name) for name in names}:
        on_disk = sum(record.bytes or 0 for record in server.models.values())
        message = (
            f"Whether the {len(names)} models ({size(on_disk)} on disk) stay loaded side by side the server does not "
            "tell before it has loaded them; --probe loads them and looks."
        )
        yield Diagnosis("untold", "models", "note", message)
