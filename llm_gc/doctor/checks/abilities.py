"""Whether the models can do what is asked of them."""

from __future__ import annotations

from collections.abc import Iterator

from llm_gc.doctor.diagnosis import Case, Diagnosis, places, roles


def mute_model(case: Case) -> Iterator[Diagnosis]:
    """A model is of another trade, such as embedding."""
    for model, able in _told(case).items():
        if "completion" not in able:
            wants = case.of(model)
            message = f"{model}, which plays {roles(wants)}, cannot chat: all it can do is {', '.join(able)}."
            yield Diagnosis("mute-model", "models", "error", message, "Cast another model.", places(wants, "model"))


def idle_think(case: Case) -> Iterator[Diagnosis]:
    """A role is to think, and its model cannot."""
    for model, able in _told(case).items():
        eager = [want for want in case.of(model) if want.casting.think]
        if eager and "thinking" not in able:
            message = f"{model} cannot think before it answers: `think` of {roles(eager)} is not sent."
            remedy = "Cast a model that can (`ollama show` lists its capabilities), or take `think` away."
            yield Diagnosis("idle-think", "pipeline", "warning", message, remedy, places(eager, "think"))


def untold_abilities(case: Case) -> Iterator[Diagnosis]:
    """The server does not say what a model can do."""
    if case.server.kind != "ollama":
        return
    for model in case.server.having("here"):
        if not case.server.models[model].facts.capabilities:
            message = f"The server does not tell what {model} can do; a newer Ollama does, and --probe tries it."
            yield Diagnosis("untold", "models", "note", message)


def _told(case: Case) -> dict[str, tuple[str, ...]]:
    """Give what each model can do, of those of which the server says it."""
    records = case.server.models.items()
    return {model: record.facts.capabilities for model, record in records if record.facts.capabilities}
