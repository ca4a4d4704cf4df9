"""Examines one Ollama server: all that it says of itself, of the models that are wanted there, and of its memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from llm_gc.backends.examining import Examination, Held, Listed, ModelRecord
from llm_gc.backends.ollama.models import Models
from llm_gc.backends.ollama.names import entry_of
from llm_gc.backends.ollama.survey import Survey
from llm_gc.backends.wire.text import natural
from llm_gc.errors import ServerError, ServerUnreachable
from llm_gc.logins import mask
from llm_gc.protocol import Casting


async def examine(models: Models, castings: Sequence[Casting]) -> Examination:
    """Find out what a server says, without having anything loaded; what goes wrong is its ``trouble``."""
    address, survey = models.server.address, Survey(models, castings)
    found = Examination("ollama", mask(address.url), address.source)
    if address.warning:
        found = replace(found, warnings=(address.warning,))
    try:
        await survey.look()
        found = replace(found, version=survey.version, listed=tuple(_listed(survey.tags)))
        await survey.show()
    except ServerUnreachable as error:
        return replace(found, trouble=str(error), is_absent=True)
    except ServerError as error:
        return replace(found, trouble=str(error))
    return replace(found, models=_records(survey), held=await held(models))


async def held(models: Models) -> tuple[Held, ...] | None:
    """Give the models that the server holds in memory now; none where it does not tell."""
    listing = await models.listing()
    if listing is None or not isinstance(listing.get("models"), list):
        return None
    entries = [entry for entry in listing["models"] if isinstance(entry, dict)]
    return tuple(
        Held(
            str(entry.get("name") or entry.get("model")),
            natural(entry.get("size")),
            natural(entry.get("size_vram")),
            natural(entry.get("context_length")) or None,
        )
        for entry in entries
    )


def _records(survey: Survey) -> dict[str, ModelRecord]:
    lacking = survey.lacking()
    records: dict[str, ModelRecord] = {}
    for model in dict.fromkeys(casting.model for casting in survey.castings):
        if model in lacking.missing:
            records[model] = ModelRecord("missing")
        elif model in lacking.remote:
            records[model] = ModelRecord("elsewhere")
        else:
            size = natural((entry_of(survey.tags, model) or {}).get("size"))
            records[model] = ModelRecord(
                "here", survey.facts[model], survey.declared(model), size, survey.window(model)
            )
    return records


def _listed(tags: dict[str, Any]) -> list[Listed]:
    entries = tags.get("models")
    return [
        Listed(str(entry.get("name") or entry.get("model")), natural(entry.get("size")))
        for entry in (entries if isinstance(entries, list) else ())
        if isinstance(entry, dict)
    ]
