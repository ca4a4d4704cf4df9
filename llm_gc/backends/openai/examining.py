"""Examines one OpenAI-compatible server: what it has, and what of a pipeline it cannot be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from llm_gc.backends.examining import Examination, Listed, ModelRecord
from llm_gc.backends.openai.preflight import Survey
from llm_gc.backends.wire.hosts import Address
from llm_gc.errors import ServerError, ServerUnreachable
from llm_gc.logins import mask
from llm_gc.protocol import Casting


async def examine(survey: Survey, address: Address, castings: Sequence[Casting]) -> Examination:
    """Find out what a server says; what goes wrong is its ``trouble``."""
    found = Examination("openai", mask(address.url), address.source, unsent=survey.unsent())
    try:
        await survey.look()
    except ServerUnreachable as error:
        return replace(found, trouble=str(error), is_absent=True)
    except ServerError as error:
        return replace(found, trouble=str(error))
    names, facts = survey.names, survey.facts()
    missing = survey.lacking()
    models: dict[str, ModelRecord] = {}
    for casting in castings:
        where = "unknown" if names is None else "missing" if casting.model in missing else "here"
        models[casting.model] = ModelRecord(where, facts[casting.host, casting.model])  # type: ignore[arg-type]
    listed = None if names is None else tuple(map(Listed, names))
    return replace(found, models=models, listed=listed, warnings=tuple(survey.oddities()))
