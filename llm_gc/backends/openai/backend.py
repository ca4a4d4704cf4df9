"""The OpenAI backend: answers asks by servers such as vLLM, llama.cpp's or LM Studio, streaming."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from llm_gc.backends.base import Asked, Facts, Notify, ignore
from llm_gc.backends.examining import Examination
from llm_gc.backends.openai.access import KEY, find, key_for
from llm_gc.backends.openai.bodies import reply_request
from llm_gc.backends.openai.events import Events
from llm_gc.backends.openai.examining import examine
from llm_gc.backends.openai.preflight import Survey, lacking
from llm_gc.backends.together import together
from llm_gc.backends.wire._httpx import httpx
from llm_gc.backends.wire.events import MAX_REPLY, Decoder
from llm_gc.backends.wire.exchange import Exchange, patience_for
from llm_gc.backends.wire.failures import Failed
from llm_gc.backends.wire.hearing import Hearing, thoughts_of
from llm_gc.backends.wire.hosts import Address
from llm_gc.backends.wire.kinds import OPENAI
from llm_gc.backends.wire.server import Server
from llm_gc.errors import UsageError
from llm_gc.protocol import Ask, Casting, Failure, Reply

NO_ENVIRONMENT: Mapping[str, str] = MappingProxyType({})


class OpenAI:
    """Answer asks by OpenAI-compatible servers.

    The one that ``host`` names, else each casting's own, else the one that the environment names. The key in the
    environment is shown only to a server that the flag or the environment names.
    """

    def __init__(  # noqa: PLR0913 - by keyword only, and each has its default
        self,
        host: str | None = None,
        *,
        environ: Mapping[str, str] = NO_ENVIRONMENT,
        clock: Callable[[], float] = time.monotonic,
        gap: float = 60.0,
        connect: float = 5.0,
        max_reply: int = MAX_REPLY,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Take where to look and how long to wait, in seconds; nothing is opened yet.

        ``gap`` is how long a reply may pause once it has begun, where the ask does not say it; ``connect`` how long a
        server may take to show that it is there. ``max_reply`` bounds the bytes of one reply's stream.
        """
        self._host, self._environ, self._clock = host, environ, clock
        self._gap, self._connect, self._max_reply = gap, connect, max_reply
        self._transport = transport
        self._servers: dict[str, Server] = {}
        self._keys: dict[str, str | None] = {}
        self._asked: Counter[tuple[str, str]] = Counter()
        self._doubtful: set[str] = set()

    async def preflight(self, castings: Sequence[Casting], load_timeout: float, notify: Notify = ignore) -> Facts:
        """Find the servers and the models, and say what they cannot be told.

        Raises:
            UsageError: where nothing says where a server is, or the environment holds no proper key.
            ServerUnreachable: where no such server answers.
            ModelMissing: naming every model that is not there.
            ServerError: where a server answers with an error.

        """
        places: dict[str, list[Casting]] = {}
        for casting in castings:
            places.setdefault(self._server(casting).address.url, []).append(casting)
        has_key = bool(self._environ.get(KEY))
        surveys = [Survey(self._servers[url], mine, self._keys[url], has_key) for url, mine in places.items()]
        await together(survey.look() for survey in surveys)
        missing = lacking(surveys)
        if missing is not None:
            raise missing
        about = {key: facts for survey in surveys for key, facts in survey.facts().items()}
        return Facts("openai", None, about, tuple(words for survey in surveys for words in survey.warnings()))

    async def reply(self, ask: Ask, notify: Notify = ignore) -> Reply:
        """Answer ``ask`` once, within its deadline; a load that the server makes of its own accord is charged to it."""
        began = self._clock()
        try:
            server = self._server(ask.casting)
        except UsageError as error:  # a role that could not be known before the start
            return Reply(failure=Failure("refused", f"{ask.model}: {error}."))
        path, body = reply_request(ask)
        await self._settled(server)
        notify(Asked(ask.model))
        decoder = Decoder(Events(server.hide), max_reply=self._max_reply)
        hearing = Hearing(decoder, thoughts_of(ask), notify, self._clock)
        place = (server.address.url, ask.model)
        exchange = Exchange(server, ask, hearing, patience_for(ask, self._gap), self._asked[place])
        self._asked[place] += 1
        is_over = False
        try:
            failure = await exchange.run(path, body)
            is_over = failure is None
        finally:
            self._asked[place] -= 1
            (self._doubtful.discard if is_over else self._doubtful.add)(server.address.url)
        named = hearing.end.model if hearing.end is not None else None
        return hearing.reply(failure, None, self._clock() - began, named if named != ask.model else None)

    def address(self, place: Casting) -> Address:
        """Tell where a casting is played.

        Raises:
            UsageError: where nobody says.

        """
        return self._server(place).address

    async def examine(self, place: Casting, castings: Sequence[Casting]) -> Examination:
        """Examine the server of ``place`` for ``castings``, all of which are played there."""
        server = self._server(place)
        survey = Survey(server, castings, self._keys[server.address.url], bool(self._environ.get(KEY)))
        return await examine(survey, server.address, castings)

    async def aclose(self) -> None:
        """Let go of every connection."""
        await together(server.aclose() for server in self._servers.values())

    async def _settled(self, server: Server) -> None:
        """After a request that came to nothing, ask something small: when it is answered, that one has gone."""
        if server.address.url in self._doubtful:
            with contextlib.suppress(Failed, TimeoutError):
                async with asyncio.timeout(server.connect):
                    await server.fetch("GET", "/models")

    def _server(self, casting: Casting) -> Server:
        address = find(self._host, casting.host, self._environ)
        if address.url not in self._servers:
            key = self._keys[address.url] = key_for(address, self._environ)
            self._servers[address.url] = Server(
                address, kind=OPENAI, key=key, connect=self._connect, transport=self._transport
            )
        return self._servers[address.url]
