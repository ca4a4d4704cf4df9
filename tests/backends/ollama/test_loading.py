"""A model that somebody else had loaded: what the server's list does not tell is asked for before the reply."""

from __future__ import annotations

import json
from urllib.request import Request, urlopen

from llm_gc.backends.base import Loading
from llm_gc.backends.ollama import Ollama
from tests.backends.ollama.asking import Notes, an_ask, answered, run
from tests.standin import Model, StandIn


def load_as_others_do(url: str) -> None:
    """Have the model loaded with the server's own options, as an interactive chat does."""
    body = json.dumps({"model": "demo:1b", "options": {"num_ctx": 4096}}).encode()
    with urlopen(Request(f"{url}/api/chat", body)) as answer:
        answer.read()


def test_a_load_that_the_list_does_not_show_is_not_charged_to_the_reply() -> None:
    """The server loads the model anew for ``shift: false``; the reply has its whole time all the same."""
    with StandIn([Model("demo:1b", load_seconds=0.4)]) as server:
        load_as_others_do(server.url)
        ask, notes = an_ask(options={"num_ctx": 4096, "num_predict": 8}, timeout=0.3), Notes()
        first, second = run(answered(Ollama(server.url), ask, ask, notify=notes))
        assert first.failure is None
        assert second.failure is None
        assert [load.options.shift for load in server.loads] == [True, False]
    assert Loading("demo:1b") not in notes
