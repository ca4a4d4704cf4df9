"""What is found out about an OpenAI-compatible server before the first turn, and to whom the key is shown."""

from __future__ import annotations

from typing import Any

import pytest
import respx

from llm_gc.backends.http._httpx import httpx
from llm_gc.backends.interface import ModelFacts
from llm_gc.backends.openai import OpenAI
from llm_gc.backends.openai.server_info import find, in_clear, key_for
from llm_gc.errors import LlmGcError, ModelMissing, ServerError, ServerUnreachable, UsageError
from llm_gc.protocol import ModelConfig
from tests.backends.openai.asking import KEY, found, reply_to
from tests.standin import Error, Model, Say, StandIn

URL = "http://gpu.example:8000/v1"
DEMO = Model("demo:1b")


def listed(*entries: dict[str, Any], status: int = 200) -> httpx.Response:
    """A list of models."""
    return httpx.Response(status, json={"object": "list", "data": entries})


def facts_of(response: httpx.Response, *castings: ModelConfig, host: str = "http://gpu.example:8000") -> Any:
    """What is found where the server answers with that list."""
    with respx.mock(base_url=URL) as router:
        router.get("/models").mock(return_value=response)
        return found(OpenAI(host), *castings)


def test_the_facts_are_found() -> None:
    """The window that vLLM tells, the trained length that llama.cpp tells; keyed as it was cast."""
    vllm = {"id": "demo:1b", "owned_by": "vllm", "max_model_len": 8192}
    llama = {"id": "other", "owned_by": "somebody", "meta": {"n_ctx_train": 4096}}
    facts = facts_of(listed(vllm, llama), ModelConfig("demo:1b"), ModelConfig("other", host="x"))
    assert facts.backend == "openai"
    assert facts.models == {
        (None, "demo:1b"): ModelFacts(num_ctx=8192),
        ("x", "other"): ModelFacts(context_length=4096),
    }
    assert facts.warnings == ()


def test_what_it_cannot_be_told_is_said() -> None:
    """Each setting of a role for which the API has no word is named, once for each model."""
    casting = ModelConfig("demo:1b", options={"num_ctx": 512, "top_k": 3, "top_p": 0.5, "temperature": 1}, think=False)
    [warning] = facts_of(listed({"id": "demo:1b"}), casting, casting).warnings
    assert "demo:1b at http://gpu.example:8000/v1 is not told of num_ctx, top_k, think" in warning


def test_a_server_with_one_model_for_every_name() -> None:
    """llama.cpp's server answers with what it has loaded; that is said, and is no lack."""
    facts = facts_of(listed({"id": "a.gguf", "owned_by": "llamacpp", "meta": {"n_ctx_train": 64}}))
    assert "answers with a.gguf, whatever model is named" in facts.warnings[0]
    assert facts.models[None, "demo:1b"].context_length == 64


def test_a_server_that_does_not_list_its_models() -> None:
    """Nobody can know whether it has them; the run begins with a warning."""
    [warning] = facts_of(httpx.Response(404)).warnings
    assert "does not list its models" in warning


@pytest.mark.parametrize(
    ("response", "error", "words"),
    [
        (listed(), ModelMissing, "does not have demo:1b; it has none"),
        (listed({"id": "a"}, {"id": "b"}), ModelMissing, "it has a, b. Start it with that model"),
        (listed(*({"id": f"m{n}"} for n in range(20))), ModelMissing, "m7, and 12 more"),
        (httpx.Response(200, html="<h1>hi</h1>"), ServerUnreachable, "something else (HTTP 200, text/html"),
        (httpx.Response(200, json={"data": 1}), ServerUnreachable, "something else"),
        (httpx.Response(500, json={"error": {"message": "no disk"}}), ServerError, "no disk"),
        (httpx.Response(302, headers={"location": "https://gpu/"}), ServerError, "redirects to https://gpu/"),
        (httpx.Response(401, json={"error": {"message": "no"}}), ServerError, "If it wants a key, set OPENAI_API_KEY"),
    ],
)
def test_what_is_missing_is_told(response: httpx.Response, error: type[LlmGcError], words: str) -> None:
    """Before the first turn, with what to do; all of it ends with 3."""
    with pytest.raises(error) as caught:
        facts_of(response)
    assert words in str(caught.value)
    assert caught.value.exit_code == 3


def test_nobody_there_is_told() -> None:
    """With the address, what named it, and how to name another."""
    with pytest.raises(ServerUnreachable) as caught:
        found(OpenAI("http://127.0.0.1:1"))
    message = str(caught.value)
    assert "No OpenAI-compatible server answers at http://127.0.0.1:1/v1 (--host): connection refused" in message
    assert "OPENAI_BASE_URL" in message


def test_a_path_that_belongs_to_single_requests_is_named() -> None:
    """An address that was copied from a request says what to leave away of it."""
    with StandIn([DEMO]) as server, pytest.raises(ServerUnreachable) as caught:
        found(OpenAI(f"{server.url}/v1/chat/completions"))
    assert f"leave /chat/completions away from the address: {server.url}/v1." in str(caught.value)


def test_nobody_says_where_it_is() -> None:
    """There is no usual place for such a server."""
    with pytest.raises(UsageError, match="nothing says where"):
        found(OpenAI())


@pytest.mark.parametrize(
    ("flag", "own", "env", "url"),
    [
        ("http://a:1", "http://b", "http://c", "http://a:1/v1"),
        (None, "http://b:2/api/v3/", "http://c", "http://b:2/api/v3"),
        (None, None, "https://c/v1", "https://c:443/v1"),
        ("localhost:8080", None, None, "http://localhost:8080/v1"),
    ],
)
def test_where_it_is(flag: str | None, own: str | None, env: str | None, url: str) -> None:
    """The flag, the role, the environment, in this order; an address without a path means /v1."""
    assert find(flag, own, {"OPENAI_BASE_URL": env} if env else {}).url == url


@pytest.mark.parametrize(
    ("flag", "own", "env", "shown"),
    [
        ("http://a", None, None, True),
        (None, None, "http://c", True),
        (None, "http://b", None, False),
        (None, "http://b", "http://c", False),
        (None, "http://c", "http://c/v1", True),
    ],
)
def test_the_key_is_shown_only_to_whom_the_user_names(
    flag: str | None, own: str | None, env: str | None, shown: bool
) -> None:
    """A host that is in a pipeline gets none, unless the environment names the very same one."""
    environ = {"OPENAI_API_KEY": f" {KEY}\n", **({"OPENAI_BASE_URL": env} if env else {})}
    assert key_for(find(flag, own, environ), environ) == (KEY if shown else None)
    assert key_for(find(flag, own, environ), {**environ, "OPENAI_API_KEY": " "}) is None


def test_a_key_that_can_be_none_is_told_without_it() -> None:
    """What is no key is not repeated."""
    with pytest.raises(UsageError) as caught:
        key_for(find("a", None, {}), {"OPENAI_API_KEY": "a\nb"})
    assert "a\nb" not in str(caught.value)


def test_the_key_goes_along_and_nowhere_else() -> None:
    """The server sees it with each request; it is in no message, even where the server repeats it."""
    environ = {"OPENAI_API_KEY": KEY}
    with StandIn([DEMO], key=KEY) as server:
        facts = found(OpenAI(server.url, environ=environ))
        server.script(Say("Yes."), Error(400, f"you said {KEY}"), Say("one", error=f"you said {KEY}"))
        assert reply_to(OpenAI(server.url, environ=environ)).content == "Yes."
        for _ in range(2):
            failure = reply_to(OpenAI(server.url, environ=environ)).failure
            assert failure is not None
            assert "you said (the key)" in failure.message
    assert facts.warnings == ()


@pytest.mark.parametrize(
    ("flag", "key", "words"),
    [
        (True, KEY[:-1], "It was shown the key in OPENAI_API_KEY"),
        (False, KEY, "only to a server that you name yourself"),
        (True, "", "If it wants a key, set OPENAI_API_KEY"),
    ],
)
def test_a_server_that_wants_another_key(flag: bool, key: str, words: str) -> None:
    """It is told whether the key was wrong, was held back, or is not there; never the key."""
    with StandIn([DEMO], key=KEY) as server:
        openai = OpenAI(server.url if flag else None, environ={"OPENAI_API_KEY": key})
        with pytest.raises(ServerError) as caught:
            found(openai, ModelConfig("demo:1b", host=server.url))
    assert words in str(caught.value)
    assert not key or key not in str(caught.value)


def test_a_key_that_others_could_read_is_warned_of() -> None:
    """Plain http to another machine is said to be open; to this one it is not."""
    assert in_clear(find("http://gpu:8000", None, {}))
    assert not in_clear(find("http://localhost:8000", None, {}))
    assert not in_clear(find("https://gpu", None, {}))
    with respx.mock(base_url=URL) as router:
        router.get("/models").mock(return_value=listed({"id": "demo:1b"}))
        [warning] = found(OpenAI("http://gpu.example:8000", environ={"OPENAI_API_KEY": KEY})).warnings
    assert "unencrypted" in warning
    assert KEY not in warning
