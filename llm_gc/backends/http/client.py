"""What backends that ask servers have in common: where these are, how long they may take, what is known of each."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Generic, Protocol, TypeVar

from llm_gc.backends.gather import together
from llm_gc.backends.http._httpx import httpx
from llm_gc.backends.http.hosts import Address, Login
from llm_gc.backends.http.kinds import ServerKind
from llm_gc.backends.http.loading import LoadWait, Sleep
from llm_gc.backends.http.redact import Vault, vault_of
from llm_gc.backends.http.server import Server
from llm_gc.backends.http.stream import MAX_REPLY
from llm_gc.backends.interface import Notify, ignore
from llm_gc.errors import UsageError
from llm_gc.protocol import Ask, Failure, ModelConfig, Reply

NO_ENVIRONMENT: Mapping[str, str] = MappingProxyType({})


class KnownServers(Protocol):
    """A server, and what is known of it."""

    @property
    def server(self) -> Server:
        """The server itself."""

    async def aclose(self) -> None:
        """Take leave of it."""


K = TypeVar("K", bound=KnownServers)


class HttpClient(ABC, Generic[K]):
    """A backend that asks model servers.

    The one that ``host`` names, else each casting's own, else the one that the environment names. Its connections
    belong to the event loop in which it is used first.
    """

    def __init__(  # noqa: PLR0913  # by keyword only, and each has its default
        self,
        host: str | None = None,
        *,
        environ: Mapping[str, str] = NO_ENVIRONMENT,
        clock: Callable[[], float] = time.monotonic,
        sleep: Sleep = asyncio.sleep,
        connect: float = 5.0,
        max_reply: int = MAX_REPLY,
        transport: httpx.AsyncBaseTransport | None = None,
        vault: Vault | None = None,
    ) -> None:
        """Take where to look and how long to wait, in seconds; nothing is opened yet.

        ``connect`` is how long a server may take to show that it is there. ``vault`` has the secrets of other
        backends, too. ``max_reply`` bounds the bytes of one reply's stream. ``clock`` only measures, ``sleep`` waits.
        """
        self._host, self._environ, self._clock, self._sleep = host, environ, clock, sleep
        self._connect, self._max_reply = connect, max_reply
        self._transport, self._vault = transport, vault or vault_of(environ, host)
        self._known: dict[tuple[str, Login | None], K] = {}

    def address(self, place: ModelConfig) -> Address:
        """Return where a casting is played.

        Raises:
            UsageError: where nobody says.

        """
        return self._at(place).server.address

    async def reply(self, ask: Ask, notify: Notify = ignore) -> Reply:
        """Answer ``ask`` once, within its limits; a cold load has its own, also one that the server makes by itself."""
        began = self._clock()
        try:
            place = self._at(ask.casting).server.place(ask.model)
        except UsageError as error:  # a role that could not be known before the start
            return Reply(failure=Failure("refused", f"{ask.model}: {error}."))
        wait = LoadWait(ask, place, notify, lambda: self._clock() - began, self._sleep)
        while True:
            reply = await self._answer(ask, notify, began)
            if not await wait.again(reply):
                return wait.settled(reply)

    async def aclose(self) -> None:
        """Take leave of every server: it gets its models back, and its connections are closed."""
        await together(known.aclose() for known in self._known.values())

    def _at(self, casting: ModelConfig) -> K:
        """Return the server at which a casting is played."""
        address = self._find(casting)
        if address.key not in self._known:
            self._known[address.key] = self._meet(address)
        return self._known[address.key]

    def _server(self, address: Address, kind: ServerKind, key: str | None = None) -> Server:
        """Make the server at an address, which is shown a ``key``."""
        return Server(address, kind=kind, key=key, connect=self._connect, transport=self._transport, vault=self._vault)

    @abstractmethod
    async def _answer(self, ask: Ask, notify: Notify, began: float) -> Reply:
        """Ask for the reply to ``ask`` once; its seconds are counted from when it ``began``."""

    @abstractmethod
    def _find(self, casting: ModelConfig) -> Address:
        """Return where a casting is played."""

    @abstractmethod
    def _meet(self, address: Address) -> K:
        """Return a server that is needed for the first time."""
