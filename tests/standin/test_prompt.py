"""What becomes of a prompt that is too long, and of messages on the two paths."""

import json
from collections.abc import Iterator
from itertools import cycle
from typing import Any

import pytest

from tests.standin import TOO_LONG, Model, Say, StandIn, each_character
from tests.standin.client import MODEL, Answer, ask, chat

# With a token for each character a message costs four tokens more than its role and its text
# (<|im_start|> role \n text <|im_end|> \n); the opened turn of the assistant costs 11, the first token 1.
REST = 12


@pytest.fixture
def server() -> Iterator[StandIn]:
    """The same model on both paths; a token is a character."""
    models = [Model(MODEL, tokens=each_character), Model("native", path="native", tokens=each_character)]
    with StandIn(models) as server:
        yield server


def sized(server: StandIn, *sizes: int, model: str = MODEL, num_ctx: int = 128, **fields: Any) -> Answer:
    """A chat whose messages have these sizes in tokens, the user and the assistant in turn."""
    turns = zip(cycle(["user", "assistant"]), sizes, strict=False)
    messages = [{"role": role, "content": "x" * (size - len(role) - 4)} for role, size in turns]
    options = {"num_ctx": num_ctx, "num_predict": 4} | fields.pop("options", {})
    return chat(server, model=model, messages=messages, stream=False, options=options, **fields)


def test_size(server: StandIn) -> None:
    """A prompt has the tokens of its messages, of the opened turn, and one at its beginning."""
    assert sized(server, 30, 20, 40).json["prompt_eval_count"] == 30 + 20 + 40 + REST


def test_default_size() -> None:
    """By default four characters are a token, and a message costs a few more."""
    with StandIn([Model(MODEL)]) as server:
        short, long = (chat(server, "x" * size, stream=False).json["prompt_eval_count"] for size in (0, 400))
    assert long - short == 100
    assert short < 15


@pytest.mark.parametrize(
    ("sizes", "kept"),
    [((30, 30, 30), 90), ((40, 30, 30), 100), ((60, 30, 30), 60), ((90, 90, 90), 90), ((20, 80, 35), 115)],
)
@pytest.mark.parametrize("model", [MODEL, "native"])
def test_oldest_messages_go_first(server: StandIn, model: str, sizes: tuple[int, ...], kept: int) -> None:
    """Whole messages are dropped from the front until the prompt fits, silently."""
    answer = sized(server, *sizes, model=model)
    assert answer.status == 200
    assert answer.json["prompt_eval_count"] == kept + REST
    assert server.chats[0].prompt_tokens == kept + REST


def test_system_messages_stay(server: StandIn) -> None:
    """A system message is kept when those around it go, and it moves to the front."""
    messages = [
        {"role": "user", "content": "old" * 30},
        {"role": "system", "content": "Rules."},
        {"role": "user", "content": "new"},
    ]
    chat(server, messages=messages, options={"num_ctx": 64})
    assert server.chats[0].prompt == (
        "<|im_start|>system\nRules.<|im_end|>\n<|im_start|>user\nnew<|im_end|>\n<|im_start|>assistant\n"
    )


@pytest.mark.parametrize(
    ("size", "num_ctx", "options", "count"),
    [
        (2000, 512, {}, 259),
        (2000, 128, {}, 67),
        (127 - REST, 128, {}, 127),
        (128 - REST, 128, {}, 67),
        (2000, 128, {"num_keep": 20}, 75),
    ],
)
def test_cut(server: StandIn, size: int, num_ctx: int, options: dict[str, int], count: int) -> None:
    """On the rendered path a message that is too long is cut to about half the window."""
    assert sized(server, size, num_ctx=num_ctx, options=options).json["prompt_eval_count"] == count


@pytest.mark.parametrize(
    ("model", "fields"), [(MODEL, {"truncate": False}), ("native", {}), ("native", {"truncate": False})]
)
def test_refused_by_the_engine(server: StandIn, model: str, fields: dict[str, bool]) -> None:
    """Where nothing may be cut, the engine refuses what does not fit its window, a multiple of 256."""
    answer = sized(server, 600 - REST, model=model, num_ctx=500, **fields)
    assert answer.status == 400
    error = json.loads(answer.json["error"])["error"]
    assert error["type"] == "exceed_context_size_error"
    assert (error["n_prompt_tokens"], error["n_ctx"]) == (600, 512)
    assert sized(server, 511 - REST, model=model, num_ctx=500, **fields).status == 200


def test_refused_without_shift(server: StandIn) -> None:
    """Without shifting, what would be cut is refused in other words; older messages still go."""
    answer = sized(server, 300, shift=False)
    assert (answer.status, answer.json["error"]) == (400, TOO_LONG)
    assert "the prompt is longer than the context length currently available to the model" in TOO_LONG
    assert sized(server, 300, 300, 30, shift=False).json["prompt_eval_count"] == 30 + REST


def test_nothing_dropped_without_truncate(server: StandIn) -> None:
    """With truncate off no message is dropped."""
    assert sized(server, 300, 300, 30, truncate=False).status == 400


@pytest.mark.parametrize(("shift", "reason", "sampled"), [(False, "length", 56), (True, "stop", 101)])
def test_full_window(server: StandIn, shift: bool, reason: str, sampled: int) -> None:
    """A full window ends the reply with length, unless the window may slide."""
    server.script(Say([str(number) for number in range(100)]))
    answer = sized(server, 200 - REST, num_ctx=256, shift=shift, options={"num_predict": 1000}).json
    assert (answer["done_reason"], answer["eval_count"]) == (reason, sampled)


def test_neighbours(server: StandIn) -> None:
    """Neighbours of one role are one message on the rendered path, and stay apart on the native one."""
    messages = [{"role": "user", "content": "a"}, {"role": "USER", "content": "b"}]
    for model in (MODEL, "native"):
        chat(server, model=model, messages=messages)
    rendered, native = (request.prompt for request in server.chats)
    assert "<|im_start|>user\na\n\nb<|im_end|>" in rendered
    assert "<|im_start|>user\na<|im_end|>\n<|im_start|>user\nb<|im_end|>" in native


def test_two_assistants_at_the_end(server: StandIn) -> None:
    """The native path refuses two messages of the assistant at the end."""
    messages = [{"role": "user", "content": "a"}, *[{"role": "assistant", "content": "b"}] * 2]
    answer = chat(server, model="native", messages=messages)
    assert answer.status == 400
    assert json.loads(answer.json["error"])["error"]["message"].startswith("Cannot have 2 or more assistant")
    assert chat(server, messages=messages).status == 200


def test_prefix(server: StandIn) -> None:
    """A conversation that only grows has prompts that share their beginning."""
    turns = [{"role": role, "content": role * 3} for role in ("system", "user", "assistant", "user")]
    for count in (2, 4):
        chat(server, messages=turns[:count])
    sooner, later = (request.prompt for request in server.chats)
    assert later.startswith(sooner.removesuffix("<|im_start|>assistant\n"))


def test_system_of_the_model() -> None:
    """The model's own system text comes first, unless the conversation brings one."""
    with StandIn([Model(MODEL, system="Own.")]) as server:
        chat(server)
        chat(server, messages=[{"role": "system", "content": "Given."}, {"role": "user", "content": "x"}])
        ask(server, "POST", "/api/generate", {"model": MODEL, "prompt": "x"})
        ask(server, "POST", "/api/generate", {"model": MODEL, "prompt": "x", "system": "Given."})
    assert ["Own." in request.prompt for request in server.chats] == [True, False, True, False]
