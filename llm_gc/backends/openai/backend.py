"""The OpenAI backend: answers asks by servers such as vLLM, llama.cpp's or LM Studio, streaming."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from llm_gc.backends.gather import together
from llm_gc.backends.http.accumulator import Accumulator, structured_in, thoughts_of
from llm_gc.backends.http.client import HttpClient
from llm_gc.backends.http.exchange import HttpExchange
from llm_gc.backends.http.hosts import Address, Login
from llm_gc.backends.http.kinds import OPENAI
from llm_gc.backends.http.server import Server
from llm_gc.backends.http.server_errors import Failed
from llm_gc.backends.http.stream import StreamDecoder
from llm_gc.backends.http.timeouts import Activity
from llm_gc.backends.interface import Asked, Examination, Facts, Noticed, Notify, ignore
from llm_gc.backends.openai.refusals import refused_field, unsent, without
from llm_gc.backends.openai.server_info import KEY, OpenAISurvey, examine, find, key_for, lacking
from llm_gc.backends.openai.wire import Events, reply_request
from llm_gc.protocol import Ask, Cut, Failure, ModelConfig, Reply


@dataclass
class _KnownServer:
    """A server, and the key that it is shown; what each of its models is at for us, and which fields it refuses.

    It is ``is_doubtful`` whether the last of them has gone: it failed.
    """

    server: Server
    key: str | None
    activities: defaultdict[str, Activity] = field(default_factory=lambda: defaultdict(Activity))
    refused: defaultdict[str, dict[str, None]] = field(default_factory=lambda: defaultdict(dict))
    is_doubtful: bool = False

    async def settle(self) -> None:
        """After a request that failed, ask something small: when it is answered, that one has gone."""
        if self.is_doubtful:
            with contextlib.suppress(Failed, TimeoutError):
                async with asyncio.timeout(self.server.connect):
                    await self.server.fetch("GET", "/models")

    async def aclose(self) -> None:
        """Close every connection."""
        await self.server.aclose()


class OpenAI(HttpClient[_KnownServer]):
    """Answer asks by OpenAI-compatible servers.

    The key in the environment is shown only to a server that the flag or the environment names.
    """

    async def preflight(self, castings: Sequence[ModelConfig], load_timeout: float, notify: Notify = ignore) -> Facts:
        """Find the servers and the models, and say what they cannot be told.

        Raises:
            UsageError: where nothing says where a server is, or the environment holds no proper key.
            ServerUnreachable: where no such server answers.
            ModelMissing: naming every model that is not there.
            ServerError: where a server answers with an error.

        """
        places: dict[tuple[str, Login | None], list[ModelConfig]] = {}
        for casting in castings:
            places.setdefault(self.address(casting).key, []).append(casting)
        surveys = [self._survey(self._known[key], mine) for key, mine in places.items()]
        await together(survey.look(load_timeout, notify) for survey in surveys)
        missing = lacking(surveys)
        if missing is not None:
            raise missing
        about = {key: facts for survey in surveys for key, facts in survey.facts().items()}
        return Facts("openai", None, about, tuple(words for survey in surveys for words in survey.warnings()))

    async def _answer(self, ask: Ask, notify: Notify, began: float) -> Reply:
        known = self._at(ask.casting)
        path, body = reply_request(ask)
        await known.settle()
        while True:
            refused = known.refused[ask.model]
            sent = without(body, refused)
            notify(Asked(ask.model))
            decoder = StreamDecoder(Events(), max_reply=self._max_reply)
            hearing = Accumulator(decoder, thoughts_of(ask), notify, self._clock, known.server.redactor)
            exchange = HttpExchange(known.server, ask, hearing, known.activities[ask.model])
            ended = await self._run(known, exchange, path, sent, self._clock() - began)
            field = None if exchange.refusal is None else refused_field(exchange.refusal, sent)
            if field is None:
                break
            refused[field] = None
            notify(Noticed(f"{known.server.place(ask.model)} refuses {field}, which is left out from now on"))
        named = hearing.end.model if hearing.end is not None else None
        reply = hearing.reply(ask, ended, None, self._clock() - began, named if named != ask.model else None)
        return structured_in(replace(reply, unsent=unsent(body, sent)), ask.format, notify)

    async def _run(
        self, known: _KnownServer, exchange: HttpExchange, path: str, body: Mapping[str, Any], spent: float
    ) -> Failure | Cut | None:
        """Run an exchange; remember whether the server may still be at it."""
        is_over = False
        try:
            ended = await exchange.run(path, body, spent)
            is_over = ended is None
        finally:
            known.is_doubtful = not is_over
        return ended

    async def examine(self, place: ModelConfig, castings: Sequence[ModelConfig]) -> Examination:
        """Examine the server of ``place`` for ``castings``, all of which are played there."""
        known = self._at(place)
        return await examine(self._survey(known, castings), known.server.address, castings)

    def _survey(self, known: _KnownServer, castings: Sequence[ModelConfig]) -> OpenAISurvey:
        return OpenAISurvey(known.server, castings, known.key, bool(self._environ.get(KEY)))

    def _find(self, casting: ModelConfig) -> Address:
        return find(self._host, casting.host, self._environ)

    def _meet(self, address: Address) -> _KnownServer:
        key = key_for(address, self._environ)
        return _KnownServer(self._server(address, OPENAI, key), key)
