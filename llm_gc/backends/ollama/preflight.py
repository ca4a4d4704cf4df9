"""Before the first turn: is every server there, does it have its models, and what does it say of them."""

from __future__ import annotations

from collections.abc import Sequence

from llm_gc.backends.base import Facts, Notify
from llm_gc.backends.ollama.demands import lacking
from llm_gc.backends.ollama.models import Models
from llm_gc.backends.ollama.survey import Survey
from llm_gc.backends.together import together
from llm_gc.errors import ServerError
from llm_gc.protocol import Casting


async def find_facts(casts: Sequence[tuple[Casting, Models]], load_timeout: float, notify: Notify) -> Facts:
    """Find out all that is to be known before a run of ``casts``: the castings, and where each is played.

    Raises:
        ServerUnreachable: where no Ollama answers.
        ModelMissing: naming every model that is not there, with the way to get it.
        ServerError: where a server answers with an error, or a model cannot chat.

    """
    places = dict.fromkeys(models for _, models in casts)
    surveys = [Survey(models, [casting for casting, of in casts if of is models]) for models in places]
    await together(survey.look() for survey in surveys)
    missing = lacking([survey.lacking() for survey in surveys])
    if missing is not None:
        raise missing
    await together(survey.show() for survey in surveys)
    mute = [words for survey in surveys for words in survey.mute()]
    if mute:
        raise ServerError(*mute)
    for survey in surveys:
        survey.settle_windows()
    refused = await together(survey.try_levels(load_timeout, notify) for survey in surveys)
    return Facts(
        "ollama",
        ", ".join(dict.fromkeys(survey.version for survey in surveys)) or None,
        {
            (casting.host, casting.model): survey.facts[casting.model]
            for survey in surveys
            for casting in survey.castings
        },
        (
            *(words for survey in surveys for words in (*survey.unable(), *survey.unwilling())),
            *(words for survey in surveys for words in (*survey.beyond(), *survey.narrow())),
            *(words for found in refused for words in found),
        ),
    )
