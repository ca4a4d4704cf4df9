"""Which settings will be ignored, and which of them get in each other's way."""

from __future__ import annotations

from collections.abc import Iterator

from llm_gc.backends.ollama.bodies import load_options
from llm_gc.check.rules.bad_option import KNOWN, OWN
from llm_gc.doctor.diagnosis import Case, Diagnosis, places, roles
from llm_gc.near import near


def unknown_option(case: Case) -> Iterator[Diagnosis]:
    """Ollama passes over an option that it does not know."""
    if case.server.kind != "ollama":
        return
    for want in case.wants:
        for name in want.casting.options:
            if name not in KNOWN and name not in OWN:
                message = f"{want.role} sets {name!r}, which Ollama does not know and passes over."
                remedy = near(name, [*KNOWN, *OWN]) or "Take it away."
                yield Diagnosis("ignored", "pipeline", "warning", message, remedy, places([want], "options", name))


def unsent_setting(case: Case) -> Iterator[Diagnosis]:
    """OpenAI's API has no word for a setting."""
    for model, names in case.server.unsent.items():
        wants = case.of(model)
        verb, them = ("is", "it") if len(names) == 1 else ("are", "them")
        message = (
            f"{', '.join(names)} of {roles(wants)} {verb} not sent to {model}: OpenAI's API has no word for {them}."
        )
        remedy = f"Set {them} where that server is started, or take {them} away."
        yield Diagnosis("ignored", "pipeline", "warning", message, remedy, places(wants))


def unsent_format(case: Case) -> Iterator[Diagnosis]:
    """OpenAI's plain completion has no word for a structure."""
    wants = [want for want in case.wants if want.is_formed and want.casting.api == "generate"]
    if wants and case.server.kind == "openai":
        message = f"{roles(wants)} must answer in a structure, and with api: generate OpenAI's API has no word for it."
        remedy = "Take api: chat, or ask for the structure in the prompt."
        yield Diagnosis("ignored", "pipeline", "warning", message, remedy, places(wants, "api"))


def differing_loads(case: Case) -> Iterator[Diagnosis]:
    """Roles share a model and not its load options: the server loads it anew at each switch."""
    if case.server.kind != "ollama":
        return
    for model in case.server.models:
        wants = case.of(model)
        for first, other in zip(wants[:1] * len(wants), wants[1:], strict=False):
            mine, theirs = load_options(first.casting.options), load_options(other.casting.options)
            differing = [name for name in {**mine, **theirs} if mine.get(name) != theirs.get(name)]
            if differing:
                message = f"{first.role} and {other.role} share {model}, but not {', '.join(differing)}."
                remedy = "Give both the same, or the server loads it anew at each switch."
                yield Diagnosis("reloads", "pipeline", "warning", message, remedy, places([other], differing[0]))
                break
