"""Names of models: which of them mean the same one, and which mean somebody else's computer."""

from __future__ import annotations

from typing import Any


def normalise(name: str) -> str:
    """Return the one spelling of all a model's names: ``demo`` and ``Library/Demo`` are ``demo:latest``."""
    name = name.strip().lower().removesuffix(":local")
    name = name.removeprefix("registry.ollama.ai/").removeprefix("library/")
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def is_cloud(name: str) -> bool:
    """Return whether ``name`` sends its requests to ollama.com."""
    tag = normalise(name).rpartition(":")[2]
    return tag == "cloud" or tag.endswith("-cloud")


def entry_of(listing: Any, model: str) -> dict[str, Any] | None:
    """Find ``model`` in what /api/tags or /api/ps answered."""
    entries = listing.get("models") if isinstance(listing, dict) else None
    wanted = normalise(model)
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict):
            names = (entry.get("name"), entry.get("model"))
            if any(isinstance(name, str) and normalise(name) == wanted for name in names):
                return entry
    return None
