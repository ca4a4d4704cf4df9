"""What an Ollama server says of itself and of the models that a run wants; preflight and examination."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from llm_gc.backends.gather import together
from llm_gc.backends.http.kinds import OLLAMA
from llm_gc.backends.http.loading import when_loaded
from llm_gc.backends.http.server import Answer
from llm_gc.backends.http.server_errors import Failed, late, of_status, something_else, why
from llm_gc.backends.http.stream import natural
from llm_gc.backends.interface import (
    Examination,
    Facts,
    HeldModel,
    ListedModel,
    Loading,
    ModelFacts,
    ModelRecord,
    Notify,
    ignore,
)
from llm_gc.backends.ollama.loaded_models import Models
from llm_gc.backends.ollama.missing_models import (
    Lacking,
    absent,
    always_thinks,
    beyond_training,
    cannot_chat,
    cannot_think,
    does_not_know,
    lacking,
    takes_no_level,
    thinks_for_format,
    too_narrow,
)
from llm_gc.backends.ollama.model_names import entry_of, is_cloud
from llm_gc.backends.ollama.wire import ability_of
from llm_gc.errors import ServerError, ServerUnreachable
from llm_gc.protocol import ModelConfig
from llm_gc.values.safe_text import mask

LEAST, MOST = 4096, 8192
"""A window that nobody gives is one of these: there is room for the one wherever a model fits, mostly for the other."""


def version_of(answer: Answer) -> str | None:
    """Return the version that /api/version tells; None where this is no Ollama's answer."""
    version = (answer.object() or {}).get("version") if answer.status == 200 else None
    return version if isinstance(version, str) and version else None


def is_remote(model: str, entry: dict[str, Any] | None) -> bool:
    """Return whether ``model`` runs on somebody else's computer, by its name or its ``entry`` in /api/tags."""
    return is_cloud(model) or bool(entry and (entry.get("remote_host") or entry.get("remote_model")))


def about_model(entry: dict[str, Any] | None, shown: dict[str, Any], version: str) -> ModelFacts:
    """Return what /api/tags and /api/show of a server of this version tell of a model."""
    digest, ability = (entry or {}).get("digest"), ability_of(shown)
    return ModelFacts(
        digest=digest if isinstance(digest, str) and digest else None,
        capabilities=ability.capabilities or (),
        context_length=trained_length(shown),
        is_leveled=ability.is_leveled,
        drops_format=ability.drops_format(version),
    )


def trained_length(shown: dict[str, Any]) -> int | None:
    """Return the window that a model was trained for."""
    info = shown.get("model_info")
    if not isinstance(info, dict):
        return None
    return natural(info.get(f"{info.get('general.architecture')}.context_length"))


def declared_window(shown: dict[str, Any]) -> int | None:
    """Return the ``num_ctx`` among a model's own parameters."""
    parameters = shown.get("parameters")
    for line in parameters.splitlines() if isinstance(parameters, str) else ():
        name, _, value = line.strip().partition(" ")
        if name == "num_ctx" and value.strip().isdecimal():
            return int(value)
    return None


def window_for(tokens: int | None) -> int:
    """Return the window of a model that nobody gives one, where so many tokens can be needed, or any number of them."""
    return LEAST if tokens is not None and tokens <= LEAST else MOST


PATIENCE = 30.0
"""For how many seconds a server that is there may think about what it has."""

T = TypeVar("T")


class OllamaSurvey:
    """Ask one server for everything that ``castings`` need to know of it, step by step."""

    def __init__(self, models: Models, castings: Sequence[ModelConfig]) -> None:
        """Begin with nothing known."""
        self.castings = castings
        self.version = ""
        self.facts: dict[str, ModelFacts] = {}
        self._models, self._server = models, models.server
        self._wanted = list(dict.fromkeys(casting.model for casting in castings))
        self.tags: dict[str, Any] = {}
        self._shown: dict[str, dict[str, Any]] = {}

    async def look(self, load_timeout: float = 0.0, notify: Notify = ignore) -> None:
        """Find the server, and the list of its models; wait ``load_timeout`` seconds for one that is loading."""
        model = self.castings[0].model if self.castings else ""
        answer = await when_loaded(self._find, load_timeout, lambda: notify(Loading(model)))
        version = version_of(answer)
        if version is None:
            if answer.status in (401, 403) or 300 <= answer.status < 400 or answer.status >= 500:
                failure = of_status(self._server.place(), answer.status, answer.body, answer.location)
                raise ServerError(failure.message)
            address = self._server.address
            raise absent(address, something_else(address.url, OLLAMA, answer.status, answer.content_type))
        self.version = self._models.version = version
        self.tags = await self._asked(self._server.ask("GET", "/api/tags"))

    def lacking(self) -> Lacking:
        """Return which models are not on this server: absent ones, and such as live elsewhere."""
        entries = {model: entry_of(self.tags, model) for model in self._wanted}
        remote = [model for model, entry in entries.items() if is_remote(model, entry)]
        missing = [model for model, entry in entries.items() if entry is None and model not in remote]
        return Lacking(self._server.address.url, missing, remote)

    async def show(self) -> None:
        """Learn what each model is that is there."""
        lacking = self.lacking()
        there = [model for model in self._wanted if model not in (*lacking.missing, *lacking.remote)]
        asked = asyncio.gather(*(self._asked(self._models.show(model)) for model in there))
        held = self._models.listing()  # whether it can be had: some emulators do not know this request
        answers, _ = await asyncio.gather(asked, held)
        self._shown = dict(zip(there, answers, strict=True))
        for model, shown in self._shown.items():
            self.facts[model] = about_model(entry_of(self.tags, model), shown, self.version)

    def untold(self) -> list[str]:
        """Return what cannot be known of a server that does not know all of Ollama's requests."""
        if not self._models.unknown:
            return []
        return [does_not_know(self._server.place(), list(self._models.unknown))]

    def declared(self, model: str) -> int | None:
        """Return the ``num_ctx`` that a model brings along."""
        return declared_window(self._shown.get(model, {}))

    def mute(self) -> list[str]:
        """Name the models that cannot chat."""
        able = {model: facts.capabilities for model, facts in self.facts.items()}
        return [
            cannot_chat(self._server.place(model), words)
            for model, words in able.items()
            if words and "completion" not in words
        ]

    def unable(self) -> list[str]:
        """Name the models that are to think and cannot: they are told nothing of it, and answer at once."""
        able = {model: facts.capabilities for model, facts in self.facts.items()}
        eager = dict.fromkeys(casting.model for casting in self.castings if casting.think)
        return [
            cannot_think(self._server.place(model)) for model in eager if able[model] and "thinking" not in able[model]
        ]

    def unwilling(self) -> list[str]:
        """Name the models that are told not to think and will all the same."""
        quiet = dict.fromkeys(casting.model for casting in self.castings if casting.think is False)
        about = [(self._server.place(model), self.facts[model]) for model in quiet]
        always = [always_thinks(place) for place, facts in about if facts.is_leveled]
        return always + [thinks_for_format(place, self.version) for place, facts in about if facts.drops_format]

    async def try_levels(self, load_timeout: float, notify: Notify) -> list[str]:
        """Name the models that take no levels of thinking, of those that are to have one.

        A server does not tell that: it is asked for a token, with the model loaded as it will be needed anyway.
        """
        asked = {c.model: c for c in self.castings if isinstance(c.think, str)}
        warnings = []
        for model, casting in asked.items():
            facts = self.facts[model]
            if facts.is_leveled or "thinking" not in facts.capabilities:
                continue
            options = {"num_ctx": facts.num_ctx, **casting.options}
            with contextlib.suppress(Failed, TimeoutError):  # whatever else is wrong will show
                await self._models.load(model, options, load_timeout, notify)
                async with asyncio.timeout(PATIENCE):
                    if not await self._models.try_level(model, options, str(casting.think)):
                        warnings.append(takes_no_level(self._server.place(model), str(casting.think)))
        return warnings

    def beyond(self) -> list[str]:
        """Name the models that are to have a larger window than they were trained for: the server gives them less."""
        asked: dict[str, int] = {}
        for casting in self.castings:
            window, trained = casting.options.get("num_ctx"), self.facts[casting.model].context_length
            if isinstance(window, int) and trained and window > trained:
                asked[casting.model] = max(window, asked.get(casting.model, 0))
        return [
            beyond_training(self._server.place(model), window, self.facts[model].context_length or 0)
            for model, window in asked.items()
        ]

    def settle_windows(self) -> None:
        """Choose the window of each model for which a casting declares none: its own one, else what can be needed."""
        for model in self._needs:
            self.facts[model] = self.facts[model]._replace(num_ctx=self.window(model))

    def window(self, model: str) -> int | None:
        """Return the window that a run gives to a model for which a casting declares none; None for any other."""
        if model not in self._needs:
            return None
        window, trained = self.declared(model) or window_for(self._needs[model]), self.facts[model].context_length
        return min(window, trained or window)

    def narrow(self) -> list[str]:
        """Name the models whose window nobody declares, and for which more may be needed than they get."""
        needs = {model: needs for model, needs in self._needs.items() if needs is not None}
        facts = {model: self.facts[model] for model in needs}
        return [
            f"{self._server.place(model)} {too_narrow(tokens, about.num_ctx, about.context_length)}"
            for model, tokens in needs.items()
            if (about := facts[model]).num_ctx is not None and tokens > about.num_ctx
        ]

    @property
    def _needs(self) -> dict[str, int | None]:
        """What can be needed of the models for which a casting declares no window."""
        found: dict[str, int | None] = {}
        for casting in self.castings:
            if casting.options.get("num_ctx") is None:
                both = (casting.needs, found.get(casting.model, 0))
                found[casting.model] = None if None in both else max(tokens or 0 for tokens in both)
        return found

    async def _find(self) -> Answer:
        seconds = self._server.connect
        try:
            async with asyncio.timeout(seconds):
                return await self._server.fetch("GET", "/api/version")
        except TimeoutError:
            raise absent(self._server.address, late(self._server.address.url, seconds)) from None
        except Failed as failed:
            raise absent(self._server.address, why(failed.__cause__ or failed)) from failed

    async def _asked(self, doing: Coroutine[Any, Any, T]) -> T:
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._told(doing)
        except TimeoutError:
            place = self._server.place()
            raise ServerError(f"{place} did not say what it has within {PATIENCE:g}s.") from None

    async def _told(self, doing: Coroutine[Any, Any, T]) -> T:
        try:
            return await doing
        except Failed as failed:
            raise ServerError(failed.failure.message) from failed


async def find_facts(casts: Sequence[tuple[ModelConfig, Models]], load_timeout: float, notify: Notify) -> Facts:
    """Find out all that is to be known before a run of ``casts``: the castings, and where each is played.

    Raises:
        ServerUnreachable: where no Ollama answers.
        ModelMissing: naming every model that is not there, with the way to get it.
        ServerError: where a server answers with an error, or a model cannot chat.

    """
    places = dict.fromkeys(models for _, models in casts)
    surveys = [OllamaSurvey(models, [casting for casting, of in casts if of is models]) for models in places]
    await together(survey.look(load_timeout, notify) for survey in surveys)
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
            *(words for survey in surveys for words in (*survey.untold(), *survey.unable(), *survey.unwilling())),
            *(words for survey in surveys for words in (*survey.beyond(), *survey.narrow())),
            *(words for found in refused for words in found),
        ),
    )


async def examine(models: Models, castings: Sequence[ModelConfig]) -> Examination:
    """Find out what a server says, without having anything loaded; what goes wrong is its ``trouble``."""
    address, survey = models.server.address, OllamaSurvey(models, castings)
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
    found = replace(found, warnings=(*found.warnings, *survey.untold()))
    return replace(found, models=_records(survey), held=await held(models))


async def held(models: Models) -> tuple[HeldModel, ...] | None:
    """Return the models that the server holds in memory now; None where it does not tell."""
    listing = await models.listing()
    if listing is None or not isinstance(listing.get("models"), list):
        return None
    entries = [entry for entry in listing["models"] if isinstance(entry, dict)]
    return tuple(
        HeldModel(
            str(entry.get("name") or entry.get("model")),
            natural(entry.get("size")),
            natural(entry.get("size_vram")),
            natural(entry.get("context_length")) or None,
        )
        for entry in entries
    )


def _records(survey: OllamaSurvey) -> dict[str, ModelRecord]:
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


def _listed(tags: dict[str, Any]) -> list[ListedModel]:
    entries = tags.get("models")
    return [
        ListedModel(str(entry.get("name") or entry.get("model")), natural(entry.get("size")))
        for entry in (entries if isinstance(entries, list) else ())
        if isinstance(entry, dict)
    ]
