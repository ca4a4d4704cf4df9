"""Having a model got: success is one line, and everything else is none."""

from __future__ import annotations

import asyncio
import json
import re

import pytest
import respx

from llm_gc.backends.http._httpx import httpx
from llm_gc.backends.http.hosts import find_address
from llm_gc.backends.http.server import Server
from llm_gc.backends.http.server_errors import Failed
from llm_gc.backends.ollama.pulling import Pulling, pull
from tests.standin import Hang, Model, StandIn

URL = "http://127.0.0.1:11434"

PART = {"status": "pulling 6a07", "digest": "sha256:6a07", "total": 1000}
DONE = {"status": "success"}


def pulled(*lines: object, url: str = URL, silence: float = 5.0, answer: httpx.Response | None = None) -> list[Pulling]:
    """Pull ``m`` from a server that answers with these lines; return the reported progress."""
    told: list[Pulling] = []

    async def go() -> None:
        server = Server(find_address(url, None, {}))
        try:
            await pull(server, "m", told.append, silence)
        finally:
            await server.aclose()

    if url != URL:
        asyncio.run(go())
        return told
    body = b"".join(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines)
    with respx.mock(base_url=URL) as router:
        route = router.post("/api/pull").mock(return_value=answer or httpx.Response(200, content=body))
        asyncio.run(go())
        assert json.loads(route.calls.last.request.content) == {"model": "m", "stream": True}
    return told


def test_a_download() -> None:
    """Each line is passed on as it comes: the status, the part, how much of it is there."""
    told = pulled({"status": "pulling manifest"}, PART, {**PART, "completed": 400}, DONE)
    assert told == [
        Pulling("pulling manifest"),
        Pulling("pulling 6a07", "sha256:6a07", 1000, 0),
        Pulling("pulling 6a07", "sha256:6a07", 1000, 400),
        Pulling("success"),
    ]


def test_a_last_line_without_its_end() -> None:
    """It counts."""
    assert pulled(b'{"status":"success"}')[-1].status == "success"


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([{"status": "pulling manifest"}, {"error": "pull model manifest: file does not exist"}], "the name is right"),
        ([PART, {"error": "dial tcp: lookup registry.ollama.ai: no such host"}], "can reach the network"),
        ([PART, {"error": "write: no space left on device"}], "no space left on device. Pulling again continues"),
        ([PART, {**PART, "completed": 400}], "it broke off before it was complete"),
        ([], "it broke off before it was complete"),
        ([PART, b"<html>\n"], "no line of JSON"),
    ],
)
def test_it_comes_to_no_good_end(lines: list[object], words: str) -> None:
    """Errors after HTTP 200, streams that just end, what is no JSON: none of them is taken for a model."""
    with pytest.raises(Failed, match=re.escape(words)):
        pulled(*lines)


def test_it_is_refused_at_once() -> None:
    """An HTTP error has the server's own words."""
    refusal = httpx.Response(400, json={"error": "invalid model name"})
    with pytest.raises(Failed, match="invalid model name"):
        pulled(answer=refusal)


def test_a_server_that_falls_silent() -> None:
    """It is not waited for without end."""
    with StandIn([], library=[Model("m")]) as server:
        server.intercept("/api/pull", Hang())
        with pytest.raises(Failed, match=r"said nothing new for 0\.2s"):
            pulled(url=server.url, silence=0.2)
