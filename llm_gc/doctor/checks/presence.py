"""Whether the server is there, and has the models."""

from __future__ import annotations

from collections.abc import Iterator

from llm_gc.backends.wire.kinds import OLLAMA
from llm_gc.doctor.diagnosis import Case, Diagnosis, places, roles


def no_server(case: Case) -> Iterator[Diagnosis]:
    """Nobody answers there."""
    server = case.server
    if server.is_absent:
        yield Diagnosis("no-server", "server", "error", server.trouble, places=_hosts(case))


def server_trouble(case: Case) -> Iterator[Diagnosis]:
    """Somebody answers, but with an error."""
    server = case.server
    if server.trouble and not server.is_absent:
        yield Diagnosis("server-trouble", "server", "error", server.trouble, places=_hosts(case))


def _hosts(case: Case) -> tuple[str, ...]:
    """Give where roles name the server, if they do."""
    return places(case.wants, "host") if case.server.source == "a role's host" else ()


def odd_server(case: Case) -> Iterator[Diagnosis]:
    """Its address, or what it says of itself, is odd."""
    for warning in case.server.warnings:
        yield Diagnosis("odd-server", "server", "warning", f"{warning}.")


def missing_model(case: Case) -> Iterator[Diagnosis]:
    """It does not have a model."""
    server = case.server
    for model in server.having("missing"):
        wants = case.of(model)
        if server.kind == "ollama":
            elsewhere = "" if server.url == OLLAMA.default else f"OLLAMA_HOST={server.url} "
            remedy = f"Get it with `{elsewhere}ollama pull {model}`, or let the doctor get it: --pull."
        else:
            has = ", ".join(one.name for one in (server.listed or ())[:8])
            remedy = f"Start the server with it, or cast one that it has{f': {has}' if has else ''}."
        message = f"{model}, which plays {roles(wants)}, is not there."
        yield Diagnosis("missing-model", "models", "error", message, remedy, places(wants, "model"))


def model_elsewhere(case: Case) -> Iterator[Diagnosis]:
    """It has a model in name only: requests go on to ollama.com."""
    for model in case.server.having("elsewhere"):
        wants = case.of(model)
        message = f"{model}, which plays {roles(wants)}, runs at ollama.com: the conversation would leave your server."
        remedy = "Cast a model that runs on it; llm-gc does not begin such a run."
        yield Diagnosis("missing-model", "models", "error", message, remedy, places(wants, "model"))


def untold_models(case: Case) -> Iterator[Diagnosis]:
    """It does not say which models it has."""
    names = case.server.having("unknown")
    if names and not case.server.warnings:
        yield Diagnosis("untold", "models", "note", f"The server does not tell whether it has {', '.join(names)}.")
