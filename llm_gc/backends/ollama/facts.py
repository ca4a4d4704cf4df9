"""Reading what a server says of itself and its models; nothing is taken for granted, much is absent."""

from __future__ import annotations

from typing import Any

from llm_gc.backends.base import ModelFacts
from llm_gc.backends.ollama.names import is_cloud
from llm_gc.backends.ollama.thinking import ability_of
from llm_gc.backends.wire.server import Answer
from llm_gc.backends.wire.text import natural

LEAST, MOST = 4096, 8192
"""A window that nobody gives is one of these: there is room for the one wherever a model fits, mostly for the other."""


def version_of(answer: Answer) -> str | None:
    """Give the version that /api/version tells; none where this is no Ollama's answer."""
    version = (answer.object() or {}).get("version") if answer.status == 200 else None
    return version if isinstance(version, str) and version else None


def is_remote(model: str, entry: dict[str, Any] | None) -> bool:
    """Tell whether ``model`` runs on somebody else's computer, by its name or its ``entry`` in /api/tags."""
    return is_cloud(model) or bool(entry and (entry.get("remote_host") or entry.get("remote_model")))


def about_model(entry: dict[str, Any] | None, shown: dict[str, Any], version: str) -> ModelFacts:
    """Give what /api/tags and /api/show of a server of this version tell of a model."""
    digest, ability = (entry or {}).get("digest"), ability_of(shown)
    return ModelFacts(
        digest=digest if isinstance(digest, str) and digest else None,
        capabilities=ability.capabilities or (),
        context_length=trained_length(shown),
        is_leveled=ability.is_leveled,
        drops_format=ability.drops_format(version),
    )


def trained_length(shown: dict[str, Any]) -> int | None:
    """Give the window that a model was trained for."""
    info = shown.get("model_info")
    if not isinstance(info, dict):
        return None
    return natural(info.get(f"{info.get('general.architecture')}.context_length"))


def declared_window(shown: dict[str, Any]) -> int | None:
    """Give the ``num_ctx`` among a model's own parameters."""
    parameters = shown.get("parameters")
    for line in parameters.splitlines() if isinstance(parameters, str) else ():
        name, _, value = line.strip().partition(" ")
        if name == "num_ctx" and value.strip().isdecimal():
            return int(value)
    return None


def window_for(tokens: int | None) -> int:
    """Return the window of a model that nobody gives one, where so many tokens can be needed, or any number of them."""
    return LEAST if tokens is not None and tokens <= LEAST else MOST
