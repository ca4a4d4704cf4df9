"""One server: its address, its connections, and single exchanges with it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from llm_gc.backends.wire._httpx import httpx
from llm_gc.backends.wire.events import Bad
from llm_gc.backends.wire.failures import Failed, Place, of_bad, of_status, of_transport
from llm_gc.backends.wire.hosts import Address, is_loopback
from llm_gc.backends.wire.kinds import OLLAMA, ServerKind
from llm_gc.backends.wire.text import load_json
from llm_gc.protocol import Failure

ERROR_BODY = 64 * 2**10
ANSWER_BODY = 32 * 2**20
_HEADERS = {"accept-encoding": "identity", "user-agent": "llm-gc"}


class Answer(NamedTuple):
    """What a server answered, whole."""

    status: int
    content_type: str
    body: bytes
    location: str = ""
    date: str = ""

    def object(self) -> dict[str, Any] | None:
        """Give the JSON object that was answered, or none."""
        try:
            value = load_json(self.body.decode("utf-8", "replace"))
        except ValueError:
            return None
        return value if isinstance(value, dict) else None


class Server:
    """One server; whatever goes wrong with it is raised as ``Failed``."""

    def __init__(
        self,
        address: Address,
        *,
        kind: ServerKind = OLLAMA,
        key: str | None = None,
        connect: float = 5.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Take where the server is, and the key that it wants to see; nothing is opened before the first request."""
        self.address, self.connect = address, connect
        self._kind, self._key, self._transport = kind, key, transport
        self._client: httpx.AsyncClient | None = None

    def place(self, model: str = "") -> Place:
        """Give the words for this server in a message."""
        return Place(self.address.url, model, self._kind)

    def hide(self, said: bytes) -> bytes:
        """Take our key out of what the server says: some repeat it in their errors, which are shown and recorded."""
        return said.replace(self._key.encode(), b"(the key)") if self._key else said

    @asynccontextmanager
    async def open(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> AsyncIterator[httpx.Response]:
        """Send a request, and give the answer with its body unread. The end of the block ends the request.

        Raises:
            httpx.HTTPError: where the connection fails.

        """
        client = self._opened()
        # ASCII throughout: a half surrogate from somebody's shell would not encode
        content = None if body is None else json.dumps(body).encode("ascii")
        headers = None if body is None else {"content-type": "application/json"}
        request = client.build_request(method, self.address.url + path, content=content, headers=headers)
        response = await client.send(request, stream=True)
        try:
            yield response
        finally:
            await response.aclose()

    async def fetch(self, method: str, path: str, body: Mapping[str, Any] | None = None, *, model: str = "") -> Answer:
        """Make one exchange, whatever the status of the answer."""
        try:
            async with self.open(method, path, body) as response:
                content = await read_body(response, ANSWER_BODY)
        except httpx.HTTPError as error:
            raise Failed(of_transport(self.place(model), error, begun=False)) from error
        if len(content) > ANSWER_BODY:
            raise Failed(of_bad(self.place(model), Bad("too_large", f"{path} answered without end")))
        headers = response.headers
        return Answer(
            response.status_code,
            headers.get("content-type", ""),
            content,
            headers.get("location", ""),
            headers.get("date", ""),
        )

    async def ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, model: str = ""
    ) -> dict[str, Any]:
        """Make one exchange, and give the JSON object that was answered."""
        answer = await self.fetch(method, path, body, model=model)
        if answer.status != 200:
            raise Failed(of_status(self.place(model), answer.status, self.hide(answer.body), answer.location))
        value = answer.object()
        if value is None:
            raise Failed(of_bad(self.place(model), Bad("broken", f"{path} gave no JSON object"), answer.content_type))
        return value

    async def aclose(self) -> None:
        """Close every connection."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            try:
                self._client = make_client(self.address.url, self.connect, self._transport, self._key)
            # httpx reads proxies from the environment, and says in these three ways that it cannot use one
            except (httpx.InvalidURL, ValueError, ImportError) as error:
                raise Failed(Failure("refused", f"{self.place()} cannot be asked: {error}.")) from error
        return self._client


def make_client(
    url: str, connect: float, transport: httpx.AsyncBaseTransport | None, key: str | None = None
) -> httpx.AsyncClient:
    """Make the client for the server at ``url``, which shows it a ``key``.

    Raises:
        httpx.InvalidURL: where it is no address.

    """
    parsed = httpx.URL(url)
    return httpx.AsyncClient(
        headers={**_HEADERS, **({"authorization": f"Bearer {key}"} if key else {})},
        timeout=httpx.Timeout(None, connect=connect),  # replies have deadlines of their own
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),
        trust_env=not is_loopback(parsed.host),  # a proxy would look for a model server on its own machine
        verify=parsed.scheme == "https",  # a TLS context costs 17 ms, and plain http never uses it
        transport=transport,
    )


async def read_body(response: httpx.Response, most: int) -> bytes:
    """Read the body, but not much more of it than ``most`` bytes."""
    body = bytearray()
    async for data in response.aiter_bytes():
        body += data
        if len(body) > most:
            break
    return bytes(body)
