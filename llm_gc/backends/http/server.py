"""One server: its address, its connections, and single exchanges with it."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from llm_gc.backends.http._httpx import httpx
from llm_gc.backends.http.hosts import Address, Login, is_loopback
from llm_gc.backends.http.kinds import OLLAMA, ServerKind
from llm_gc.backends.http.redact import Redactor, Vault
from llm_gc.backends.http.server_errors import Failed, RequestPlace, of_bad, of_status, of_transport, seconds_after
from llm_gc.backends.http.stream import BadLine, load_json
from llm_gc.protocol import Failure

ERROR_BODY = 64 * 2**10
ANSWER_BODY = 8 * 2**20
TURN = 256
"""So many pieces of a body are read before others get their turn."""
HEADER = 1000
"""The most characters of a header that anybody reads."""
_HEADERS = {"accept-encoding": "identity", "user-agent": "llm-gc"}
_CODINGS = frozenset(("gzip", "x-gzip", "deflate", "br", "zstd", "compress", "x-compress"))
"""The encodings of a body that were not asked for and are not decoded: a few bytes may be for gigabytes."""


class Answer(NamedTuple):
    """What a server answered, whole."""

    status: int
    content_type: str
    body: bytes
    location: str = ""
    date: str = ""
    retry_after: str = ""

    @property
    def after(self) -> float | None:
        """The seconds after which the server wants to be asked again; None where it does not say."""
        return seconds_after(self.retry_after, self.date)

    def object(self) -> dict[str, Any] | None:
        """Return the JSON object that was answered, or none."""
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
        vault: Vault | None = None,
    ) -> None:
        """Take where the server is, and the key that it wants to see; nothing is opened before the first request.

        ``vault`` has the secrets of the other servers, too.
        """
        self.address, self.connect = address, connect
        self._vault = vault or Vault(key)
        self._vault.add(address.login)
        self._kind, self._key, self._transport = kind, key, transport
        self._client: httpx.AsyncClient | None = None

    @property
    def redactor(self) -> Redactor:
        """What takes secrets out of what the server says."""
        return self._vault.redactor

    def place(self, model: str = "") -> RequestPlace:
        """Return the words for this server in a message."""
        return RequestPlace(self.address.url, model, self._kind, self.redactor)

    @asynccontextmanager
    async def open(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> AsyncIterator[httpx.Response]:
        """Send a request, and return the answer with its body unread. The end of the block ends the request.

        Raises:
            httpx.HTTPError: where the connection fails; its words hold no secret.
            Failed: where the body is encoded and the status promises something in it.

        """
        client = self._opened()
        # ASCII throughout: a half surrogate from somebody's shell would not encode
        content = None if body is None else json.dumps(body).encode("ascii")
        headers = None if body is None else {"content-type": "application/json"}
        request = client.build_request(method, self.address.url + path, content=content, headers=headers)
        try:
            response = await client.send(request, stream=True)
            try:
                if response.status_code == 200 and (coding := encoded_as(response)):
                    raise Failed(of_bad(self.place(), BadLine("broken", f"it is encoded ({coding}), unasked")))
                yield response
            finally:
                _drop_where_more_came(response)
                await response.aclose()
        except httpx.HTTPError as error:  # which may quote a malformed header
            error.args = (self.redactor.hide(str(error)),)
            raise

    async def fetch(self, method: str, path: str, body: Mapping[str, Any] | None = None, *, model: str = "") -> Answer:
        """Make one exchange, whatever the status of the answer."""
        try:
            async with self.open(method, path, body) as response:
                content = await read_body(response, ANSWER_BODY)
        except httpx.HTTPError as error:
            raise Failed(of_transport(self.place(model), error, begun=False)) from error
        if len(content) > ANSWER_BODY:
            raise Failed(of_bad(self.place(model), BadLine("too_large", f"{path} answered without end")))
        hide = self.redactor.hide_bytes
        content = hide(content) if len(content) < ERROR_BODY else await asyncio.to_thread(hide, content)
        names = ("content-type", "location", "date", "retry-after")
        kind, location, date, retry_after = (self.header(response, name) for name in names)
        return Answer(response.status_code, kind, content, location, date, retry_after)

    def header(self, response: httpx.Response, name: str) -> str:
        """Return a header without a secret in it; of a long one its beginning."""
        return self.redactor.hide(response.headers.get(name) or response.extensions.get(name, ""))[:HEADER]

    async def read_error(self, response: httpx.Response) -> bytes:
        """Return what a server says with a status that is an error, without a secret in it."""
        return self.redactor.hide_bytes(await read_body(response, ERROR_BODY))

    async def ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, model: str = ""
    ) -> dict[str, Any]:
        """Make one exchange, and return the JSON object that was answered."""
        return self.object_of(await self.fetch(method, path, body, model=model), path, model=model)

    def object_of(self, answer: Answer, path: str, *, model: str = "") -> dict[str, Any]:
        """Return the JSON object that was answered; raise ``Failed`` where there is none."""
        if answer.status != 200:
            raise Failed(of_status(self.place(model), answer.status, answer.body, answer.location, answer.after))
        value = answer.object()
        if value is None:
            raise Failed(
                of_bad(self.place(model), BadLine("broken", f"{path} gave no JSON object"), answer.content_type)
            )
        return value

    async def aclose(self) -> None:
        """Close every connection."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            try:
                authorization = _authorization(self._key, self.address.login)
                self._client = make_client(self.address.url, self.connect, self._transport, authorization)
            # httpx reads proxies from the environment, and says in these three ways that it cannot use one
            except (httpx.InvalidURL, ValueError, ImportError) as error:
                reason = str(error)
                if isinstance(error, httpx.InvalidURL):  # it may quote a part of a password
                    reason = f"its address, or that of a proxy, is no URL ({reason.partition(':')[0].lower()})"
                raise Failed(Failure("refused", f"{self.place()} cannot be asked: {reason}.")) from None
        return self._client


def make_client(
    url: str, connect: float, transport: httpx.AsyncBaseTransport | None, authorization: str | None = None
) -> httpx.AsyncClient:
    """Make the client for the server at ``url``, which shows it who asks.

    Raises:
        httpx.InvalidURL: where it is no address.

    """
    parsed = httpx.URL(url)
    return httpx.AsyncClient(
        headers={**_HEADERS, **({"authorization": authorization} if authorization else {})},
        timeout=httpx.Timeout(None, connect=connect),  # replies have deadlines of their own
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),
        trust_env=not is_loopback(parsed.host),  # a proxy would look for a model server on its own machine
        verify=parsed.scheme == "https",  # a TLS context costs 17 ms, and plain http never uses it
        transport=transport,
        event_hooks={"response": [_set_location_aside]},
    )


async def _set_location_aside(response: httpx.Response) -> None:
    """Keep httpx from reading where a redirect leads, which it would quote where that is no URL."""
    response.extensions["location"] = response.headers.pop("location", "")


async def read_body(response: httpx.Response, most: int) -> bytes:
    """Read the body, but not much more of it than ``most`` bytes; nothing of one that is encoded."""
    if coding := encoded_as(response):
        return f"(what it says is encoded as {coding}, unasked)".encode()
    body = bytearray()
    async for data in pieces_of(response):
        body += data
        if len(body) > most:
            break
    return bytes(body)


async def pieces_of(response: httpx.Response) -> AsyncIterator[bytes]:
    """Yield the pieces of a body as they came over the wire; others get their turn, however many came at once."""
    assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101  # of an asynchronous client
    count = 0
    async for data in response.stream:
        yield data
        count += 1
        if count % TURN == 0:
            await asyncio.sleep(0)


def encoded_as(response: httpx.Response) -> str:
    """Return the name of the encoding of a body; empty where there is none, or none that is known."""
    named = [name.strip().lower() for name in response.headers.get("content-encoding", "")[:HEADER].split(",")]
    return ", ".join(named) if _CODINGS & set(named) else ""


def _authorization(key: str | None, login: Login | None) -> str | None:
    """Return who asks, as a header says it; the login in an address goes before the key."""
    if login is not None:
        pair = f"{login.user}:{login.password}".encode("utf-8", "surrogateescape")
        return f"Basic {b64encode(pair).decode()}"
    return f"Bearer {key}" if key else None


def _drop_where_more_came(response: httpx.Response) -> None:
    """See that a connection is closed where bytes came after the end of the answer.

    They would be read as the beginning of the next answer. Neither httpx nor httpcore looks at them, so this goes to
    the state of h11 inside; a test notices where that is no longer found.
    """
    inner: Any = response.stream
    for name in ("_stream", "_httpcore_stream", "_stream", "_connection", "_h11_state"):
        inner = getattr(inner, name, None)
    if inner is not None and inner.trailing_data[0]:
        inner.send_failed()
