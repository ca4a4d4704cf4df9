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


def unwilling_thinker(case: Case) -> Iterator[Diagnosis]:
    """A role is not to think, and its model will all the same."""
    for model, record in case.server.models.items():
        quiet = [want for want in case.of(model) if want.casting.think is False]
        formed = [want for want in case.of(model) if want.is_formed and not want.casting.think]
        if quiet and record.facts.is_leveled:
            message = f"{model} always thinks: `think: false` of {roles(quiet)} is sent as `low`."
            remedy = "Write think: low, and let max_tokens leave room for it."
            yield Diagnosis("unwilling-thinker", "models", "warning", message, remedy, places(quiet, "think"))
        if formed and record.facts.drops_format:
            message = (
                f"{model} would drop the format of {roles(formed)} where it is told not to think, so it will think."
            )
            remedy = "Let max_tokens leave room for that, or update Ollama: a newer one keeps to the format."
            yield Diagnosis("unwilling-thinker", "models", "warning", message, remedy, places(formed, "format"))


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
