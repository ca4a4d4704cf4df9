"""What is looked for: each check a function from a case to what it finds, and here is the registry of them all."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from llm_gc.doctor.checks import abilities, memory, presence, probes, settings, windows
from llm_gc.doctor.diagnosis import Case, Diagnosis

Check = Callable[[Case], Iterator[Diagnosis]]

CHECKS: tuple[Check, ...] = (
    presence.no_server,
    presence.server_trouble,
    presence.odd_server,
    presence.missing_model,
    presence.model_elsewhere,
    presence.untold_models,
    abilities.mute_model,
    abilities.idle_think,
    abilities.unwilling_thinker,
    abilities.untold_abilities,
    windows.beyond_training,
    windows.no_room,
    windows.open_window,
    windows.untold_overflow,
    settings.unknown_option,
    settings.unsent_setting,
    settings.unsent_format,
    settings.differing_loads,
    memory.slow_memory,
    memory.crowded_memory,
    memory.untold_memory,
    probes.no_answer,
    probes.loose_form,
    probes.stubborn_thinker,
)


def diagnose(case: Case) -> list[Diagnosis]:
    """Look at a case with every check, in the order of the registry."""
    return [found for check in CHECKS for found in check(case)]
