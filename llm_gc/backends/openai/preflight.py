"""Before the first turn: is the server there, does it have the models, and what will it not be told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

from llm_gc.backends.base import ModelFacts
from llm_gc.backends.openai.access import KEY, in_clear
from llm_gc.backends.openai.bodies import unsent
from llm_gc.backends.wire.failures import Failed, of_status, why
from llm_gc.backends.wire.server import Answer, Server
from llm_gc.backends.wire.text import natural
from llm_gc.errors import ModelMissing, ServerError, ServerUnreachable
from llm_gc.logins import mask
from llm_gc.protocol import Casting

_LISTED = 8
_ANYTHING = "llamacpp"
"""Who owns a model that answers to every name: llama.cpp's server, with one model loaded."""


class Survey:
    """Ask one server what ``castings`` need to know of it."""

    def __init__(self, server: Server, castings: Sequence[Casting], key: str | None, has_key: bool) -> None:
        """Take the ``key`` that the server is shown; ``has_key`` tells whether there is one at all."""
        self.castings = castings
        self._server, self._key, self._has_key = server, key, has_key
        self._entries: dict[str, dict[str, Any]] | None = None

    async def look(self) -> None:
        """Find the server, and the list of its models.

        Raises:
            ServerUnreachable: where no such server answers.
            ServerError: where it answers with an error.

        """
        answer = await self._find()
        if answer.status in (404, 405):
            return
        if answer.status != 200:
            raise ServerError(self._refusal(answer))
        data = (answer.object() or {}).get("data")
        if not isinstance(data, list):
            kind = f", {answer.content_type}" if answer.content_type else ""
            raise self._absent(f"what answers is something else (HTTP {answer.status}{kind})")
        self._entries = {str(entry["id"]): entry for entry in data if isinstance(entry, dict) and "id" in entry}

    def missing(self) -> str:
        """Say which models the server does not have; empty where it has all of them, or answers to any name."""
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
        """The models that the server lists; none where it lists none at all."""
        return None if self._entries is None else [*self._entries]

    def lacking(self) -> list[str]:
        """Name the models that the server does not have, as far as it tells."""
        if self._entries is None or self._is_deaf:
            return []
        return [model for model in self._wanted if model not in self._entries]

    def facts(self) -> dict[tuple[str | None, str], ModelFacts]:
        """Give what the server says of each model."""
        return {(casting.host, casting.model): self._about(casting.model) for casting in self.castings}

    def warnings(self) -> Iterator[str]:
        """Say what will be passed over, and what could not be found out."""
        yield from self.oddities()
        for model, names in self.unsent().items():
            yield (
                f"{model} at {self._url} is not told of {', '.join(names)}: OpenAI's API has no word for it. "
                "Set it where that server is started, or take it away"
            )

    def unsent(self) -> dict[str, tuple[str, ...]]:
        """Give, by model, what its roles say and the server is not told."""
        found: dict[str, dict[str, None]] = {}
        for casting in self.castings:
            found.setdefault(casting.model, {}).update(dict.fromkeys(unsent(casting)))
        return {model: tuple(names) for model, names in found.items() if names}

    def oddities(self) -> Iterator[str]:
        """Say what is odd about the server, and what it does not tell."""
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
            raise self._absent(f"no answer within {seconds:g}s") from None
        except Failed as failed:
            raise self._absent(why(failed.__cause__ or failed)) from failed


def lacking(surveys: Sequence[Survey]) -> ModelMissing | None:
    """Name every model that is missing; none where there is none."""
    found = [words for survey in surveys if (words := survey.missing())]
    return ModelMissing(*found) if found else None
