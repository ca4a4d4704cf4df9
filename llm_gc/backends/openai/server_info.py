"""What an OpenAI-compatible server says of itself: its address and key, preflight and examination."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from llm_gc.backends.http.hosts import Address, find_address, is_loopback, parts, superfluous
from llm_gc.backends.http.kinds import KEY_VARIABLE, OPENAI
from llm_gc.backends.http.loading import when_loaded
from llm_gc.backends.http.server import Answer, Server
from llm_gc.backends.http.server_errors import Failed, late, of_status, something_else, why
from llm_gc.backends.http.stream import natural
from llm_gc.backends.interface import Examination, ListedModel, Loading, ModelFacts, ModelRecord, Notify, ignore
from llm_gc.backends.openai.wire import unsent
from llm_gc.errors import ModelMissing, ServerError, ServerUnreachable, UsageError
from llm_gc.protocol import ModelConfig
from llm_gc.values.safe_text import mask

KEY = KEY_VARIABLE


def find(flag: str | None, own: str | None, environ: Mapping[str, str]) -> Address:
    """Return where the server of a role is; an address without a path means the usual one.

    Raises:
        UsageError: where nobody says.

    """
    address = find_address(flag, own, environ, OPENAI)
    if not address.url:
        raise UsageError(
            "nothing says where the OpenAI-compatible server is: give --host, a `host` in the role, or OPENAI_BASE_URL"
        )
    _, _, path = parts(address.url)
    return address if path else address._replace(url=f"{address.url}/v1")


def key_for(address: Address, environ: Mapping[str, str]) -> str | None:
    """Return the key that the server at ``address`` may see: only one that a flag or the environment names may.

    A pipeline is a file that may come from anywhere: its hosts are none that the user has named.

    Raises:
        UsageError: where what is in the environment can be no key.

    """
    key = environ.get(KEY, "").strip()
    if not key:
        return None
    if not key.isascii() or not key.isprintable():
        raise UsageError(f"{KEY} holds characters that no key has; see how it was set")
    if address.by_user:
        return key
    named = environ.get(OPENAI.variable)
    return key if named and find(None, None, environ).url == address.url else None


def in_clear(address: Address) -> bool:
    """Return whether what is sent there can be read on the way."""
    scheme, host, _ = parts(address.url)
    return scheme == "http" and not is_loopback(host)


_LISTED = 8
_ANYTHING = "llamacpp"
"""Who owns a model that answers to every name: llama.cpp's server, with one model loaded."""


class OpenAISurvey:
    """Ask one server what ``castings`` need to know of it."""

    def __init__(self, server: Server, castings: Sequence[ModelConfig], key: str | None, has_key: bool) -> None:
        """Take the ``key`` that the server is shown; ``has_key`` says whether there is one at all."""
        self.castings = castings
        self._server, self._key, self._has_key = server, key, has_key
        self._entries: dict[str, dict[str, Any]] | None = None

    async def look(self, load_timeout: float = 0.0, notify: Notify = ignore) -> None:
        """Find the server, and the list of its models; wait ``load_timeout`` seconds for one that is loading.

        Raises:
            ServerUnreachable: where no such server answers.
            ServerError: where it answers with an error.

        """
        model = self.castings[0].model if self.castings else ""
        answer = await when_loaded(self._find, load_timeout, lambda: notify(Loading(model)))
        address = self._server.address
        if answer.status in (404, 405):
            if superfluous(address.url, OPENAI.superfluous):
                raise self._absent(something_else(address.url, OPENAI, answer.status, answer.content_type))
            return
        if answer.status != 200:
            raise ServerError(self._refusal(answer))
        data = (answer.object() or {}).get("data")
        if not isinstance(data, list):
            raise self._absent(something_else(address.url, OPENAI, answer.status, answer.content_type))
        self._entries = {str(entry["id"]): entry for entry in data if isinstance(entry, dict) and "id" in entry}

    def missing(self) -> str:
        """Return which models the server does not have; empty where it has all of them, or answers to any name."""
        lacking = self.lacking()
        if self._entries is None or not lacking:
            return ""
        has = [*self._entries][:_LISTED]
        more = len(self._entries) - len(has)
        others = f", and {more} more" if more > 0 else ""
        known = f"it has {', '.join(has)}{others}" if has else "it has none"
        return f"{self._url} does not have {', '.join(lacking)}; {known}. Start it with that model, or cast another."

    @property
    def names(self) -> list[str] | None:
        """The models that the server lists; None where it lists none at all."""
        return None if self._entries is None else [*self._entries]

    def lacking(self) -> list[str]:
        """Name the models that the server does not have, as far as it tells."""
        if self._entries is None or self._is_deaf:
            return []
        return [model for model in self._wanted if model not in self._entries]

    def facts(self) -> dict[tuple[str | None, str], ModelFacts]:
        """Return what the server says of each model."""
        return {(casting.host, casting.model): self._about(casting.model) for casting in self.castings}

    def warnings(self) -> Iterator[str]:
        """Return what will be passed over, and what could not be found out."""
        yield from self.oddities()
        for model, names in self.unsent().items():
            yield (
                f"{model} at {self._url} is not told of {', '.join(names)}: OpenAI's API has no word for it. "
                "Set it where that server is started, or take it away"
            )

    def unsent(self) -> dict[str, tuple[str, ...]]:
        """Return, by model, what its roles say and the server is not told."""
        found: dict[str, dict[str, None]] = {}
        for casting in self.castings:
            found.setdefault(casting.model, {}).update(dict.fromkeys(unsent(casting)))
        return {model: tuple(names) for model, names in found.items() if names}

    def oddities(self) -> Iterator[str]:
        """Return what is odd about the server, and what it does not tell."""
        if self._server.address.warning:
            yield self._server.address.warning
        if self._key and in_clear(self._server.address):
            yield f"the key in {KEY} goes to {self._url} unencrypted; use https:// where others could read along"
        if self._entries is None and self._wanted:
            yield f"{self._url} does not list its models; whether it has {', '.join(self._wanted)} will show"
        elif self._entries and self._is_deaf and not set(self._wanted) <= set(self._entries):
            yield f"{self._url} answers with {next(iter(self._entries))}, whatever model is named"

    @property
    def _wanted(self) -> list[str]:
        return list(dict.fromkeys(casting.model for casting in self.castings))

    @property
    def _url(self) -> str:
        return mask(self._server.address.url)

    @property
    def _is_deaf(self) -> bool:
        """Whether the server has one model, and does not look at the name that it is asked for."""
        entries = list((self._entries or {}).values())
        return len(entries) == 1 and entries[0].get("owned_by") == _ANYTHING

    def _about(self, model: str) -> ModelFacts:
        entries = self._entries or {}
        entry = next(iter(entries.values()), {}) if self._is_deaf else entries.get(model, {})
        meta = entry.get("meta")
        trained = natural(meta.get("n_ctx_train")) if isinstance(meta, dict) else None
        return ModelFacts(num_ctx=natural(entry.get("max_model_len")) or None, context_length=trained)

    def _refusal(self, answer: Answer) -> str:
        failure = of_status(self._server.place(), answer.status, answer.body, answer.location)
        if answer.status not in (401, 403):
            return failure.message
        if self._key:
            return f"{failure.message} It was shown the key in {KEY}."
        if self._has_key:
            return (
                f"{failure.message} The key in {KEY} is shown only to a server that you name yourself, "
                "by --host or OPENAI_BASE_URL."
            )
        return f"{failure.message} If it wants a key, set {KEY}."

    def _absent(self, reason: str) -> ServerUnreachable:
        address = self._server.address
        odd = f" ({address.warning})" if address.warning else ""
        return ServerUnreachable(
            f"No OpenAI-compatible server answers at {self._url} ({address.source}): {reason}{odd}. "
            f"{self._server.place().kind.start}"
        )

    async def _find(self) -> Answer:
        seconds = self._server.connect
        try:
            async with asyncio.timeout(seconds):
                return await self._server.fetch("GET", "/models")
        except TimeoutError:
            raise self._absent(late(self._server.address.url, seconds)) from None
        except Failed as failed:
            raise self._absent(why(failed.__cause__ or failed)) from failed


def lacking(surveys: Sequence[OpenAISurvey]) -> ModelMissing | None:
    """Name every model that is missing; None where there is none."""
    found = [words for survey in surveys if (words := survey.missing())]
    return ModelMissing(*found) if found else None


async def examine(survey: OpenAISurvey, address: Address, castings: Sequence[ModelConfig]) -> Examination:
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
    listed = None if names is None else tuple(map(ListedModel, names))
    return replace(found, models=models, listed=listed, warnings=tuple(survey.oddities()))
