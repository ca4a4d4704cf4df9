"""The doctor's checks: each a function from a case to its diagnoses, listed in ``CHECKS``."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from llm_gc.analysis.rules.bad_option import KNOWN, OWN
from llm_gc.backends.http.kinds import OLLAMA
from llm_gc.backends.interface import Examination
from llm_gc.backends.ollama.missing_models import too_narrow
from llm_gc.backends.ollama.model_names import normalise
from llm_gc.backends.ollama.wire import load_options
from llm_gc.doctor.diagnosis import Diagnosis, DoctorCase, Severity, places, roles, share, size
from llm_gc.doctor.needs import Want
from llm_gc.values.did_you_mean import near


def mute_model(case: DoctorCase) -> Iterator[Diagnosis]:
    """A model is of another trade, such as embedding."""
    for model, able in _told(case).items():
        if "completion" not in able:
            wants = case.of(model)
            message = f"{model}, which plays {roles(wants)}, cannot chat: all it can do is {', '.join(able)}."
            yield Diagnosis("mute-model", "models", "error", message, "Cast another model.", places(wants, "model"))


def idle_think(case: DoctorCase) -> Iterator[Diagnosis]:
    """A role is to think, and its model cannot."""
    for model, able in _told(case).items():
        eager = [want for want in case.of(model) if want.casting.think]
        if eager and "thinking" not in able:
            message = f"{model} cannot think before it answers: `think` of {roles(eager)} is not sent."
            remedy = "Cast a model that can (`ollama show` lists its capabilities), or take `think` away."
            yield Diagnosis("idle-think", "pipeline", "warning", message, remedy, places(eager, "think"))


def unwilling_thinker(case: DoctorCase) -> Iterator[Diagnosis]:
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


def untold_abilities(case: DoctorCase) -> Iterator[Diagnosis]:
    """The server does not say what a model can do."""
    if case.server.kind != "ollama":
        return
    for model in case.server.having("here"):
        if not case.server.models[model].facts.capabilities:
            message = f"The server does not tell what {model} can do; a newer Ollama does, and --probe tries it."
            yield Diagnosis("untold", "models", "note", message)


def _told(case: DoctorCase) -> dict[str, tuple[str, ...]]:
    """Return what each model can do, of those of which the server says it."""
    records = case.server.models.items()
    return {model: record.facts.capabilities for model, record in records if record.facts.capabilities}


def slow_memory(case: DoctorCase) -> Iterator[Diagnosis]:
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


def crowded_memory(case: DoctorCase) -> Iterator[Diagnosis]:
    """The models do not stay loaded side by side: seen when all had been probed."""
    stayed, probed = case.stayed, [name for name, probe in case.server.probes.items() if not probe.failure]
    if stayed is None or len(probed) < 2:
        return
    gone = [name for name in probed if name not in stayed]
    if gone:
        message = (
            f"Only {len(probed) - len(gone)} of {len(probed)} models stay loaded side by side: "
            f"{', '.join(gone)} had to go. Each change to a model that is not loaded loads it again."
        )
        remedy = (
            "Cast smaller models or fewer, give them a smaller num_ctx, let turns of one model follow one another, "
            "or raise OLLAMA_MAX_LOADED_MODELS where the server is started."
        )
        wants = [want for name in gone for want in case.of(name)]
        yield Diagnosis("crowded-memory", "models", "warning", message, remedy, places(wants, "model"))


def untold_memory(case: DoctorCase) -> Iterator[Diagnosis]:
    """Nobody knows in advance whether several models fit side by side."""
    server = case.server
    names = server.having("here")
    if server.kind != "ollama":
        if names and server.kind == "openai":
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


def no_server(case: DoctorCase) -> Iterator[Diagnosis]:
    """Nobody answers there."""
    server = case.server
    if server.is_absent:
        yield Diagnosis("no-server", "server", "error", server.trouble, places=_hosts(case))


def server_trouble(case: DoctorCase) -> Iterator[Diagnosis]:
    """Somebody answers, but with an error."""
    server = case.server
    if server.trouble and not server.is_absent:
        yield Diagnosis("server-trouble", "server", "error", server.trouble, places=_hosts(case))


def _hosts(case: DoctorCase) -> tuple[str, ...]:
    """Return where roles name the server, if they do."""
    return places(case.wants, "host") if case.server.source == "a role's host" else ()


def odd_server(case: DoctorCase) -> Iterator[Diagnosis]:
    """Its address, or what it says of itself, is odd."""
    for warning in case.server.warnings:
        yield Diagnosis("odd-server", "server", "warning", f"{warning}.")


def missing_model(case: DoctorCase) -> Iterator[Diagnosis]:
    """It does not have a model."""
    server = case.server
    for model in server.having("missing"):
        wants = case.of(model)
        if server.kind == "ollama":
            elsewhere = "" if server.url == OLLAMA.default else f"OLLAMA_HOST={server.url} "
            remedy = f"Get it with `{elsewhere}ollama pull {model}`, or let the doctor get it: --pull."
        else:
            has = ", ".join(one.name for one in (server.listed or ())[:8])
            get = "Name a .gguf file" if server.kind == "embedded" else "Start the server with it"
            remedy = f"{get}, or cast one that it has{f': {has}' if has else ''}."
        message = f"{model}, which plays {roles(wants)}, is not there."
        yield Diagnosis("missing-model", "models", "error", message, remedy, places(wants, "model"))


def model_elsewhere(case: DoctorCase) -> Iterator[Diagnosis]:
    """It has a model in name only: requests continue to ollama.com."""
    for model in case.server.having("elsewhere"):
        wants = case.of(model)
        message = f"{model}, which plays {roles(wants)}, runs at ollama.com: the conversation would leave your server."
        remedy = "Cast a model that runs on it; llm-gc does not begin such a run."
        yield Diagnosis("missing-model", "models", "error", message, remedy, places(wants, "model"))


def untold_models(case: DoctorCase) -> Iterator[Diagnosis]:
    """It does not say which models it has."""
    names = case.server.having("unknown")
    if names and not case.server.warnings:
        yield Diagnosis("untold", "models", "note", f"The server does not tell whether it has {', '.join(names)}.")


def no_answer(case: DoctorCase) -> Iterator[Diagnosis]:
    """A model did not answer a small request."""
    for model, probe in case.server.probes.items():
        if probe.failure:
            message, remedy = f"{model} did not answer: {probe.failure}", ""
        elif not probe.answered and not probe.thought:
            message, remedy = f"{model} answered with nothing.", "Look into the server's log, or cast another model."
        else:
            continue
        yield Diagnosis("no-answer", "models", "error", message, remedy, places(case.of(model), "model"))


def loose_form(case: DoctorCase) -> Iterator[Diagnosis]:
    """A model does not keep to the form of a structured reply."""
    for model, probe in case.server.probes.items():
        wants = [want for want in case.of(model) if want.is_formed]
        if probe.failure or not probe.answered or not probe.wrong:
            continue
        severity: Severity = "warning" if wants else "note"
        message = f"{model} does not keep to a form that it is given: {probe.wrong}."
        remedy = f"Ask for JSON in the prompts of {roles(wants)}, or cast another model." if wants else ""
        yield Diagnosis("loose-form", "models", severity, message, remedy, places(wants, "format"))


def stubborn_thinker(case: DoctorCase) -> Iterator[Diagnosis]:
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


def unknown_option(case: DoctorCase) -> Iterator[Diagnosis]:
    """Ollama passes over an option that it does not know."""
    if case.server.kind != "ollama":
        return
    for want in case.wants:
        for name in want.casting.options:
            if name not in KNOWN and name not in OWN:
                message = f"{want.role} sets {name!r}, which Ollama does not know and passes over."
                remedy = near(name, [*KNOWN, *OWN]) or "Take it away."
                yield Diagnosis("ignored", "pipeline", "warning", message, remedy, places([want], "options", name))


def unsent_setting(case: DoctorCase) -> Iterator[Diagnosis]:
    """OpenAI's API has no word for a setting, or the embedded engine does not have it."""
    for model, names in case.server.unsent.items():
        wants = case.of(model)
        verb, them = ("is", "it") if len(names) == 1 else ("are", "them")
        if case.server.kind == "embedded":
            why, start = f"the embedded engine does not have {them}", ""
        else:
            why, start = f"OpenAI's API has no word for {them}", f"set {them} where that server is started, or "
        message = f"{', '.join(names)} of {roles(wants)} {verb} not sent to {model}: {why}."
        remedy = f"{start}take {them} away.".capitalize()
        yield Diagnosis("ignored", "pipeline", "warning", message, remedy, places(wants))


def unsent_format(case: DoctorCase) -> Iterator[Diagnosis]:
    """OpenAI's plain completion has no word for a structure."""
    wants = [want for want in case.wants if want.is_formed and want.casting.api == "generate"]
    if wants and case.server.kind == "openai":
        message = f"{roles(wants)} must answer in a structure, and with api: generate OpenAI's API has no word for it."
        remedy = "Take api: chat, or ask for the structure in the prompt."
        yield Diagnosis("ignored", "pipeline", "warning", message, remedy, places(wants, "api"))


def differing_loads(case: DoctorCase) -> Iterator[Diagnosis]:
    """Roles share a model and not its load options: the server loads it again at each switch."""
    if case.server.kind != "ollama":
        return
    for model in case.server.models:
        wants = case.of(model)
        for first, other in zip(wants[:1] * len(wants), wants[1:], strict=False):
            mine, theirs = load_options(first.casting.options), load_options(other.casting.options)
            differing = [name for name in {**mine, **theirs} if mine.get(name) != theirs.get(name)]
            if differing:
                message = f"{first.role} and {other.role} share {model}, but not {', '.join(differing)}."
                remedy = "Give both the same, or the server reloads it at each switch."
                yield Diagnosis("reloads", "pipeline", "warning", message, remedy, places([other], differing[0]))
                break


def beyond_training(case: DoctorCase) -> Iterator[Diagnosis]:
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


def no_room(case: DoctorCase) -> Iterator[Diagnosis]:
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


def open_window(case: DoctorCase) -> Iterator[Diagnosis]:
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


def untold_overflow(case: DoctorCase) -> Iterator[Diagnosis]:
    """Nobody can keep such a server from cutting a prompt that does not fit."""
    if case.server.kind == "openai" and (case.server.having("here") or case.server.having("unknown")):
        message = (
            "OpenAI's API has no word for the window, nor for what becomes of a prompt that does not fit it: whether "
            "that is cut is the server's to decide. A role's num_ctx tells llm-gc what fits."
        )
        yield Diagnosis("untold", "models", "note", message)


def _window(server: Examination, want: Want) -> int | None:
    """Return the window in which a role is played, as far as it is known."""
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


Check = Callable[[DoctorCase], Iterator[Diagnosis]]

CHECKS: tuple[Check, ...] = (
    no_server,
    server_trouble,
    odd_server,
    missing_model,
    model_elsewhere,
    untold_models,
    mute_model,
    idle_think,
    unwilling_thinker,
    untold_abilities,
    beyond_training,
    no_room,
    open_window,
    untold_overflow,
    unknown_option,
    unsent_setting,
    unsent_format,
    differing_loads,
    slow_memory,
    crowded_memory,
    untold_memory,
    no_answer,
    loose_form,
    stubborn_thinker,
)


def diagnose(case: DoctorCase) -> list[Diagnosis]:
    """Look at a case with every check, in the order of the registry."""
    return [found for check in CHECKS for found in check(case)]
