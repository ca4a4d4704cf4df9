"""A model that somebody else had loaded: what the server's list does not tell is asked for before the reply."""

from __future__ import annotations

import json
from urllib.request import Request, urlopen

import pytest
import respx

from llm_gc.backends.http._httpx import httpx
from llm_gc.backends.interface import Loading
from llm_gc.backends.ollama import Ollama
from tests.backends.ollama.asking import URL, Notes, an_ask, answered, reply_to, run
from tests.standin import Model, StandIn

RESOURCES = (
    "model failed to load, this may be due to resource limitations or an internal error, check ollama server logs"
)


def load_as_others_do(url: str) -> None:
    """Load the model with the server's own options, as an interactive chat does."""
    body = json.dumps({"model": "demo:1b", "options": {"num_ctx": 4096}}).encode()
    with urlopen(Request(f"{url}/api/chat", body)) as answer:
        answer.read()


def test_a_load_that_the_list_does_not_show_is_not_charged_to_the_reply() -> None:
    """The server loads the model again for ``shift: false``; the reply has its whole time all the same."""
    with StandIn([Model("demo:1b", load_seconds=0.4)]) as server:
        load_as_others_do(server.url)
        ask, notes = an_ask(options={"num_ctx": 4096, "num_predict": 8}, timeout=0.3), Notes()
        first, second = run(answered(Ollama(server.url), ask, ask, notify=notes))
        assert first.failure is None
        assert second.failure is None
        assert [load.options.shift for load in server.loads] == [True, False]
    assert Loading("demo:1b") not in notes


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (httpx.Response(200, json={"error": "no room"}), "no room"),
        (httpx.Response(200, json={"done": False}), "ended before"),
        (httpx.Response(200, json={}), "ended before"),
        (httpx.Response(500, json={"error": "no disk"}), "no disk"),
        (httpx.Response(500, json={"error": RESOURCES}), "Write a smaller num_ctx"),
        (httpx.Response(200, text="no json"), "JSON object"),
        (httpx.ReadError("reset"), "reset"),
    ],
    ids=["error", "not done", "nothing", "500", "no resources", "text", "reset"],
)
def test_a_load_that_fails_fails_the_turn(answer: httpx.Response | Exception, words: str) -> None:
    """A load, too, is whole only with `done: true`; where the server lacks room, the remedy is named."""
    with respx.mock(base_url=URL) as router:
        router.post("/api/show").respond(json={"capabilities": ["completion"]})
        router.get("/api/ps").respond(json={"models": []})
        route = router.post("/api/chat")
        if isinstance(answer, httpx.Response):
            route.mock(return_value=answer)
        else:
            route.mock(side_effect=answer)
        failure = reply_to().failure
    assert failure is not None
    assert words in failure.message
    assert failure.kind in ("server", "broken")
