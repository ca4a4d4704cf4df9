"""How connections are made: no proxy and no TLS where they have no place."""

from __future__ import annotations

import ssl

import pytest

from llm_gc.backends.http._httpx import httpx
from llm_gc.backends.http.hosts import find_address
from llm_gc.backends.http.server import Server, make_client
from llm_gc.backends.ollama import Ollama
from tests.backends.ollama.asking import an_ask, answered, done, lines, reply_to, run
from tests.standin import Model, StandIn

PROXIES = ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin without proxies, whatever the machine has."""
    for name in (*PROXIES, "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("name", PROXIES)
def test_no_proxy_stands_before_loopback(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A proxy in the environment does not catch a server on this machine."""
    monkeypatch.setenv(name, "http://127.0.0.1:1")
    with StandIn([Model("demo:1b")]) as server:
        assert reply_to(ollama=Ollama(server.url)).failure is None
        assert reply_to(ollama=Ollama(f"localhost:{server.port}")).failure is None


def test_elsewhere_a_proxy_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server on another machine is asked by way of the proxy that the environment names."""
    with StandIn() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        failure = reply_to(ollama=Ollama("http://gpu.example:9")).failure
        assert proxy.requests
    assert failure is not None


@pytest.mark.parametrize("proxy", ["gopher://127.0.0.1:1", "socks5://127.0.0.1:1", "http://[", "http://127.0.0.1:1"])
def test_a_proxy_that_cannot_be_used_is_a_failure(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    """Whatever the environment names, nothing raises."""
    monkeypatch.setenv("ALL_PROXY", proxy)
    failure = reply_to(ollama=Ollama("http://gpu.example:9")).failure
    assert failure is not None
    assert failure.kind in ("refused", "unreachable")


def test_plain_http_needs_no_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    """The certificates are read for https only."""
    read: list[str] = []
    plain = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    def create_default_context(cafile: str) -> ssl.SSLContext:
        read.append(cafile)
        return plain

    monkeypatch.setattr(ssl, "create_default_context", create_default_context)

    async def go() -> None:
        for url, count in (("http://127.0.0.1:9", 0), ("http://gpu:9", 0), ("https://gpu:443", 1)):
            client = make_client(url, 5, None)
            assert len(read) == count
            assert not client.follow_redirects
            await client.aclose()

    run(go())


def test_https_is_verified() -> None:
    """A certificate that nobody vouches for is no server."""
    client = make_client("https://gpu:443", 5, None)
    context = client._transport._pool._ssl_context  # type: ignore[attr-defined]
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    run(client.aclose())


def test_an_answer_that_is_not_read_is_over_all_the_same() -> None:
    """Whoever leaves an answer half read leaves no connection behind."""

    async def go() -> None:
        here = Server(find_address(server.url, None, {}))
        async with here.open("GET", "/api/tags") as response:
            assert response.status_code == 200
        client = here._client
        assert client is not None
        assert client._transport._pool.connections == []  # type: ignore[attr-defined]
        await here.aclose()

    with StandIn([Model(f"demo:{number}b") for number in range(999)]) as server:
        run(go())


def test_a_transport_can_be_given() -> None:
    """A test, or an embedder, may bring its own way to reach a server; the path of a base URL is kept."""
    seen = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return httpx.Response(200, content=lines(done("hello")))

    ollama = Ollama("https://gpu/ollama/", transport=httpx.MockTransport(handle))
    [reply] = run(answered(ollama, an_ask()))
    assert (reply.content, reply.failure) == ("hello", None)
    assert "https://gpu/ollama/api/chat" in seen
    assert all(url.startswith("https://gpu/ollama/api/") for url in seen)


def test_one_who_speaks_for_another_is_named() -> None:
    """A reply's model is told where it is not the one that was asked."""

    def handle(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=lines(done("hello", model="substitute:2b")))

    reply = reply_to(ollama=Ollama(transport=httpx.MockTransport(handle)))
    assert reply.model == "substitute:2b"


def test_half_a_character_from_a_shell_is_sent() -> None:
    """Text that is no text is replaced by the server; it raises nothing here."""
    bodies = []

    def handle(request: httpx.Request) -> httpx.Response:
        bodies.append(request.content)
        return httpx.Response(200, content=lines(done("hello")))

    ask = an_ask(format={"x": "\udcff"})
    assert reply_to(ask, Ollama(transport=httpx.MockTransport(handle))).failure is None
    assert any(b"\\udcff" in body for body in bodies)


def test_closing_twice_is_closing_once() -> None:
    """Closing can be repeated, and a closed backend begins again."""
    with StandIn([Model("demo:1b")]) as server:
        ollama = Ollama(server.url)
        assert reply_to(ollama=ollama).failure is None
        run(ollama.aclose())
        assert reply_to(ollama=ollama).failure is None
