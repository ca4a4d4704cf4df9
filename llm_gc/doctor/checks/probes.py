"""What the models really did when they were probed."""

from __future__ import annotations

from collections.abc import Iterator

from llm_gc.doctor.diagnosis import Case, Diagnosis, Severity, places, roles


def no_answer(case: Case) -> Iterator[Diagnosis]:
    """A model did not answer a small request."""
    for model, probe in case.server.probes.items():
        if probe.failure:
            message, remedy = f"{model} did not answer: {probe.failure}", ""
        elif not probe.answered and not probe.thought:
            message, remedy = f"{model} answered with nothing.", "Look into the server's log, or cast another model."
        else:
            continue
        yield Diagnosis("no-answer", "models", "error", message, remedy, places(case.of(model), "model"))


def loose_form(case: Case) -> Iterator[Diagnosis]:
    """A model does not keep to the form of a structured reply."""
    for model, probe in case.server.probes.items():
        wants = [want for want in case.of(model) if want.is_formed]
        if probe.failure or not probe.answered or not probe.wrong:
            continue
        severity: Severity = "warning" if wants else "note"
        message = f"{model} does not keep to a form that it is given: {probe.wrong}."
        remedy = f"Ask for JSON in the prompts of {roles(wants)}, or cast another model." if wants else ""
        yield Diagnosis("loose-form", "models", severity, message, remedy, places(wants, "format"))


def stubborn_thinker(case: Case) -> Iterator[Diagnosis]:
    """A model thinks though it is told not to, and spends its tokens on that."""
    for model, probe in case.server.probes.items():
        quiet = [want for want in case.of(model) if not want.casting.think]
        if not probe.thought or not quiet:
            continue
        spent = "" if probe.answered else ", and came to no answer"
        record = case.server.models.get(model)
        if record is not None and record.facts.is_leveled:
            how = "always thinks, at the level `low` where it is told not to"
        else:
            how = "thinks although it is told not to"
        message = f"{model} {how}{spent}: thinking counts for max_tokens of {roles(quiet)}."
        remedy = "Raise max_tokens, so that something is left for the answer, or cast another model."
        yield Diagnosis("stubborn-thinker", "models", "warning", message, remedy, places(quiet, "max_tokens"))
