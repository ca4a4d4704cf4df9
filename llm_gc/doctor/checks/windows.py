"""Whether the context windows hold what is asked."""

from __future__ import annotations

from collections.abc import Iterator

from llm_gc.backends.examining import Examination
from llm_gc.backends.ollama.demands import too_narrow
from llm_gc.doctor.diagnosis import Case, Diagnosis, places
from llm_gc.doctor.wants import Want


def beyond_training(case: Case) -> Iterator[Diagnosis]:
    """A window is larger than the model was trained for, or than the server was started with."""
    for model, record in case.server.models.items():
        trained, fixed = record.facts.context_length, record.facts.num_ctx
        for want in case.of(model):
            window = want.casting.options.get("num_ctx")
            if not isinstance(window, int):
                continue
            if fixed is not None and window > fixed:
                message = f"{want.role} asks for num_ctx {window:,}, and the server holds {model} with {fixed:,}."
                remedy = f"Write num_ctx: {fixed}, or start the server with more."
            elif trained is not None and window > trained:
                message = (
                    f"{want.role} asks for num_ctx {window:,}; {model} was trained for {trained:,}, and gets no more."
                )
                remedy = f"Write num_ctx: {trained}, or cast a model with a larger window."
            else:
                continue
            yield Diagnosis("beyond-training", "pipeline", "warning", message, remedy, places([want], "num_ctx"))


def no_room(case: Case) -> Iterator[Diagnosis]:
    """A reply may be as long as the whole window."""
    for model in case.server.models:
        for want in case.of(model):
            window = _window(case.server, want)
            if window is not None and want.reply >= window:
                message = (
                    f"{want.role} may write {want.reply:,} tokens into the window of {model}, which has {window:,}."
                )
                remedy = "Lower max_tokens or raise num_ctx: the prompt must fit in too."
                yield Diagnosis("no-room", "pipeline", "warning", message, remedy, places([want], "max_tokens"))


def open_window(case: Case) -> Iterator[Diagnosis]:
    """No role says which window a model is to have."""
    for model in case.server.having("here") + case.server.having("unknown"):
        wants = [want for want in case.of(model) if want.casting.options.get("num_ctx") is None]
        if not wants:
            continue
        window = _window(case.server, wants[0])
        if case.server.kind == "openai":
            told = f"{window:,} tokens" if window else "what it was started with, and it does not tell"
            message = f"{model} has the window that its server gives it: {told}."
        else:
            message = f"No role says num_ctx of {model}: a run gives it a window of {window or 0:,} tokens."
        yield Diagnosis("untold", "models", "note", message)
        needs = max(want.casting.needs or 0 for want in wants)
        if window and case.server.kind != "openai" and needs > window:
            message = too_narrow(needs, window, case.server.models[model].facts.context_length)
            words, _, remedy = message.partition(". ")
            yield Diagnosis("narrow-window", "pipeline", "warning", f"{model} {words}.", remedy, places(wants, "model"))


def untold_overflow(case: Case) -> Iterator[Diagnosis]:
    """Nobody can keep such a server from cutting a prompt that does not fit."""
    if case.server.kind == "openai" and (case.server.having("here") or case.server.having("unknown")):
        message = (
            "OpenAI's API has no word for the window, nor for what becomes of a prompt that does not fit it: whether "
            "that is cut is the server's to decide. A role's num_ctx tells llm-gc what fits."
        )
        yield Diagnosis("untold", "models", "note", message)


def _window(server: Examination, want: Want) -> int | None:
    """Give the window in which a role is played, as far as it is known."""
    record = server.models[want.casting.model]
    declared = want.casting.options.get("num_ctx")
    bounds = [record.facts.num_ctx, record.facts.context_length]
    if isinstance(declared, int):
        bounds.append(declared)
    elif record.window is not None:
        bounds.append(record.window)
    elif record.facts.num_ctx is None:
        return None
    return min(bound for bound in bounds if bound is not None)
