"""Which requests are refused, and in what words."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.standin import Model, StandIn
from tests.standin.client import MODEL, Answer, ask, chat

LEVELS = '"high", "medium", "low", "max", true, or false'
EXPECTED = 'expected "json" or a valid JSON Schema object'
FULL = f"registry.ollama.ai/library/{MODEL}"
BETWEEN = "Value must be between {} <= value <= 2147483647, but got {}"
INTO = "json: cannot unmarshal {} into Go {} of type {}"


@pytest.fixture
def server() -> Iterator[StandIn]:
    """A plain model, one in somebody's namespace, and one that only embeds."""
    embedder = Model("embed", capabilities=("embedding",))
    with StandIn([Model(MODEL), Model("me/own:v1"), embedder]) as server:
        yield server


def complain(answer: Answer) -> tuple[int, str]:
    """The status and the text of an error."""
    return answer.status, answer.json["error"]


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"", "missing request body"),
        (b" \n", "missing request body"),
        (b'{"model": "demo:1b"', "unexpected EOF"),
        (b'{"model": "demo', "unexpected EOF"),
        (b'{"model": "demo:1b", }', "invalid character '}' looking for beginning of object key string"),
        (b"{'model'}", "invalid character '\\'' looking for beginning of object key string"),
        (b'{"model" "demo"}', "invalid character '\"' after object key"),
        (b'{"a": [1], "b": 2 3}', "invalid character '3' after object key:value pair"),
        (b'{"a": [1 2]}', "invalid character '2' after array element"),
        (b'{"a": x}', "invalid character 'x' looking for beginning of value"),
        (b'{"a": NaN}', "invalid character 'N' looking for beginning of value"),
        (b'{"a": "\n"}', "invalid character '\\n' in string literal"),
        (b'{"a": "\\q"}', "invalid character 'q' in string escape code"),
        pytest.param(b"[" * 100_000, "exceeded max depth", id="deep"),
        (b"[]", INTO.format("array", "value", "api.ChatRequest")),
    ],
)
def test_bad_json(server: StandIn, raw: bytes, error: str) -> None:
    """Broken JSON is refused in the words of Go's decoder."""
    assert complain(ask(server, "POST", "/api/chat", raw)) == (400, error)


@pytest.mark.parametrize(
    ("fields", "found", "place", "wanted"),
    [
        ({"messages": "hi"}, "string", "ChatRequest.messages", "[]api.Message"),
        ({"messages": ["hi"]}, "string", "ChatRequest.messages", "api.Message"),
        ({"messages": [{"content": ["hi"]}]}, "array", "ChatRequest.messages.content", "string"),
        ({"messages": [{"role": 1}]}, "number", "ChatRequest.messages.role", "string"),
        ({"options": []}, "array", "ChatRequest.options", "map[string]interface {}"),
        ({"stream": "yes"}, "string", "ChatRequest.stream", "bool"),
        ({"model": True}, "bool", "ChatRequest.model", "string"),
    ],
)
def test_bad_types(server: StandIn, fields: dict[str, Any], found: str, place: str, wanted: str) -> None:
    """A field of the wrong type is named as Go names it."""
    assert complain(chat(server, **fields)) == (400, INTO.format(found, f"struct field {place}", wanted))


@pytest.mark.parametrize(
    ("fields", "status", "error"),
    [
        ({"model": ""}, 400, "model is required"),
        ({"model": "a b"}, 400, "invalid model name"),
        ({"model": "a/b/c/d"}, 400, "invalid model name"),
        ({"model": "absent"}, 404, "model 'absent' not found"),
        ({"model": "embed"}, 400, '"embed" does not support chat'),
        ({"think": True}, 400, f'"{MODEL}" does not support thinking'),
        ({"think": "high"}, 400, f'"{MODEL}" does not support thinking'),
        ({"think": "hard"}, 400, f'invalid think value: "hard" (must be {LEVELS})'),
        ({"think": 1}, 400, f"think must be a boolean or string ({LEVELS})"),
        ({"tools": [{"type": "function"}]}, 400, f"{FULL} does not support tools"),
        ({"format": "xml"}, 500, f'invalid format: "\\"xml\\""; {EXPECTED}'),
        ({"keep_alive": "-1"}, 400, 'time: missing unit in duration "-1"'),
        ({"keep_alive": "1x"}, 400, 'time: unknown unit "x" in duration "1x"'),
        ({"keep_alive": "soon"}, 400, 'time: invalid duration "soon"'),
        ({"keep_alive": True}, 400, "Unsupported type: 'bool'"),
        ({"top_logprobs": 21}, 400, "top_logprobs must be between 0 and 20"),
        ({"options": {"num_predict": "many"}}, 500, 'option "num_predict" must be of type integer'),
        ({"options": {"num_predict": True}}, 500, 'option "num_predict" must be of type integer'),
        ({"options": {"temperature": "hot"}}, 500, 'option "temperature" must be of type float32'),
        ({"options": {"use_mmap": 1}}, 500, 'option "use_mmap" must be of type boolean'),
        ({"options": {"stop": "END"}}, 500, 'option "stop" must be of type array'),
        ({"options": {"stop": [1]}}, 500, 'option "stop" must be of type an array of strings'),
    ],
)
def test_refusals(server: StandIn, fields: dict[str, Any], status: int, error: str) -> None:
    """What cannot be is refused in exact words, and no script is used up for it."""
    assert complain(chat(server, **fields)) == (status, error)
    assert not server.chats


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"options": {"repeat_last_n": -1}}, f"Field 'repeat_last_n': {BETWEEN.format(0, -1)}"),
        ({"options": {"num_keep": -2}}, f"Field 'n_keep': {BETWEEN.format(-1, -2)}"),
        ({"format": {"type": "text"}}, "JSON schema conversion failed"),
        ({"messages": [{"role": "user", "images": ["AAAA"]}]}, "Multimodal data provided"),
    ],
)
def test_refusals_of_the_engine(server: StandIn, fields: dict[str, Any], message: str) -> None:
    """What the engine refuses is JSON inside the text, and the model is loaded by then."""
    status, error = complain(chat(server, **fields))
    assert status == 400
    assert json.loads(error)["error"]["message"].startswith(message)
    assert server.load_counts == {MODEL: 1}


@pytest.mark.parametrize(
    ("fields", "status", "error"),
    [
        ({"model": ""}, 404, "model '' not found"),
        ({"model": "absent"}, 404, "model 'absent' not found"),
        ({"model": "embed"}, 400, '"embed" does not support generate'),
        ({"suffix": "x"}, 400, f"{FULL} does not support insert"),
        ({"raw": True, "system": "x"}, 400, "raw mode does not support template, system, or context"),
        ({"template": "{{ .Prompt"}, 500, "template: :1: unclosed action"),
    ],
)
def test_refusals_of_generate(server: StandIn, fields: dict[str, Any], status: int, error: str) -> None:
    """Generate has some words of its own."""
    answer = ask(server, "POST", "/api/generate", {"model": MODEL, "prompt": "x"} | fields)
    assert complain(answer) == (status, error)


@pytest.mark.parametrize(
    "fields",
    [
        {"think": False},
        {"format": None},
        {"format": ""},
        {"keep_alive": "1h30m"},
        {"keep_alive": 0.5},
        {"keep_alive": -1},
        {"nonsense": 1},
        {"options": {"max_tokens": 1, "mirostat": "x"}},
        {"options": {"seed": None, "num_predict": 2.9}},
        {"messages": [{"role": "critic", "content": "x"}, {}]},
    ],
)
def test_accepted(server: StandIn, fields: dict[str, Any]) -> None:
    """What looks odd but is allowed is answered."""
    answer = chat(server, **fields)
    assert (answer.status, answer.lines[-1]["done"]) == (200, True)


@pytest.mark.parametrize("name", ["me/own:v1", "ME/Own:v1", "registry.ollama.ai/me/own:v1", " me/own:v1 "])
def test_names(server: StandIn, name: str) -> None:
    """All spellings of a name are one model, and the answer echoes the one that was used."""
    assert chat(server, model=name, stream=False).json["model"] == name
    assert server.load_counts == {"me/own:v1": 1}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "localhost:1"}, 200),
        ({"Host": "[::1]:1"}, 200),
        ({"Host": "gpu.internal"}, 200),
        ({"Host": "example.com"}, 403),
        ({"Origin": "http://localhost:3000"}, 200),
        ({"Origin": "https://example.com"}, 403),
    ],
)
def test_strangers(server: StandIn, headers: dict[str, str], status: int) -> None:
    """A foreign Host or Origin is turned away without a word."""
    answer = ask(server, "GET", "/api/version", headers=headers)
    assert (answer.status, answer.body == b"") == (status, status == 403)


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("HEAD", "/", 200, ""),
        ("HEAD", "/api/tags", 200, ""),
        ("HEAD", "/api/version", 200, ""),
        ("GET", "/api/version?x=1", 200, '{"version":"0.33.0"}'),
        ("POST", "/api/tags", 405, "405 method not allowed"),
        ("DELETE", "/api/chat", 405, "405 method not allowed"),
        ("GET", "/api/", 404, "404 page not found"),
    ],
)
def test_routes(server: StandIn, method: str, path: str, status: int, body: str) -> None:
    """Unknown paths and wrong methods get plain text; HEAD gets no body."""
    answer = ask(server, method, path)
    assert (answer.status, answer.text) == (status, body)
