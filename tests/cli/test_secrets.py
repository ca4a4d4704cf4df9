"""A key and a password are nowhere in what llm-gc prints and writes, wherever they are and whoever repeats them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands import Result, llm_gc
from tests.standin import Behaviour, Error, Model, Redirect, Say, StandIn

KEY = "sk-live-Qx7/9Zt3Wm1Kp5Rv"
PASSWORD = "p@ss#word-Kq2"
MODELS = [Model("demo:1b")]
PIPELINE = """
name: two
roles:
  anna: {{model: "demo:1b", prompt: You plan., num_ctx: 2048{anna}}}
  ben: {{model: "demo:1b", prompt: You judge., num_ctx: 2048}}
opening: Plan it.
turns: [anna, ben, anna]
"""


@pytest.fixture
def server() -> Iterator[StandIn]:
    """A server that has the model."""
    with StandIn(MODELS) as running:
        yield running


def with_login(server: StandIn) -> str:
    """Its address, with a name and a password in it."""
    return server.url.replace("://", f"://me:{PASSWORD}@")


def pipeline(folder: Path, anna: str = "") -> None:
    """Write the pipeline."""
    (folder / "two.yaml").write_text(PIPELINE.format(anna=anna), encoding="utf-8")


def check_clean(folder: Path, *results: Result) -> None:
    """Look for the secrets in all that was printed, and in every file that was written."""
    texts = [text for result in results for text in (result.out, result.err)]
    texts += [
        file.read_text(encoding="utf-8") for file in folder.rglob("*") if file.is_file() and file.name != "two.yaml"
    ]
    for text in texts:
        for secret in (KEY, PASSWORD):
            for part in (secret, json.dumps(secret)[1:-1], secret[:12], secret[-12:]):
                assert part not in text


def shown(folder: Path, *run: Result) -> None:
    """Look at the session in every way, and look for the secrets."""
    ways = [
        ("show", "last"), ("show", "last", "--json"), ("show", "last", "--turn", "1", "--request"),
        ("show", "last", "--html", "-"), ("show", "last", "--markdown", "-"), ("ls", "--json"), ("ls",),
        ("replay", "last"), ("diff", "last", "last"),
    ]  # fmt: skip
    check_clean(folder, *run, *(llm_gc(*way, cwd=folder) for way in ways))


WHERE = ["--host", "OLLAMA_HOST", "the file", "--set a host", "--set a role", "--set defaults"]


@pytest.mark.parametrize("where", [*WHERE[:2], *(pytest.param(where, marks=pytest.mark.slow) for where in WHERE[2:])])
def test_a_password_in_an_address_works_and_is_not_told(server: StandIn, tmp_path: Path, where: str) -> None:
    """The server is shown it; nobody else, though the server repeats it."""
    host = with_login(server)
    pipeline(tmp_path, f', host: "{host}"' if where == "the file" else "")
    options, environ = ["--host", host] if where == "--host" else [], {"OLLAMA_HOST": server.url}
    if where == "OLLAMA_HOST":
        environ = {"OLLAMA_HOST": host}
    if where.startswith("--set"):
        role = json.dumps({"model": "demo:1b", "prompt": "x", "num_ctx": 2048, "host": host})
        values = [f'roles.anna.host="{host}"', f"roles.anna={role}", f'defaults={{host: "{host}"}}']
        options = ["--set", values[WHERE.index(where) - 3]]
    server.script(Say(["It is ", PASSWORD[:5], PASSWORD[5:], "."]), Error(400, f"not {host}!"), Say("Never."))
    result = llm_gc("run", "two.yaml", *options, cwd=tmp_path, **environ)
    assert "anna: It is (the password)." in result.out
    assert "not http://(the password)@" in result.err
    assert server.chats[0].headers["authorization"].startswith("Basic ")
    shown(tmp_path, result)


@pytest.mark.parametrize("where", WHERE[2:])
@pytest.mark.parametrize("command", ["validate", "plan", "schema --resolved", "graph", "doctor", "rehearse"])
def test_no_command_tells_a_password_of_a_pipeline(tmp_path: Path, where: str, command: str) -> None:
    """Nor is it told where something is wrong beside it."""
    host = f"http://me:{PASSWORD}@127.0.0.1:9"
    overrides = {
        "--set a host": f'roles.anna.host="{host}"',
        "--set a role": json.dumps({"model": "m", "host": host}).join(["roles.anna=", ""]),
        "--set defaults": f'defaults={{host: "{host}"}}',
    }
    for wrong in ("", ", hots: 1", ", host: "):
        pipeline(tmp_path, (f', host: "{host}"' if where == "the file" else "") + wrong)
        options = (
            ["--set", overrides[where]]
            if where in overrides and command.split(maxsplit=1)[0] in ("plan", "schema")
            else []
        )
        check_clean(tmp_path, llm_gc(*command.split(), "two.yaml", *options, cwd=tmp_path))


def test_a_pipeline_whose_password_was_not_recorded_can_be_replayed_and_resumed(
    server: StandIn, tmp_path: Path
) -> None:
    """Where the address is given again, it continues as it was."""
    host = with_login(server)
    pipeline(tmp_path, f', host: "{host}"')
    server.script(Say("One."), *3 * [Error(503, "busy")])
    options = ("--set", "limits.on_error=stop", "--host", host)
    assert llm_gc("run", "two.yaml", *options, cwd=tmp_path).code == 1
    server.script(Say("Two."), Say("Three."))
    result = llm_gc("resume", "last", "--host", host, cwd=tmp_path)
    assert result.code == 0, result.err
    assert all(chat.headers["authorization"].startswith("Basic ") for chat in server.chats)
    replayed = llm_gc("replay", "last", cwd=tmp_path)
    assert replayed.code == 0, replayed.err
    shown(tmp_path, result, replayed)


@pytest.mark.parametrize(
    "words",
    [
        ["run", "two.yaml", f"http://me:{PASSWORD}@127.0.0.1:9"],
        ["run", "two.yaml", "--host", f"http://me:{PASSWORD}@127.0.0.1:x"],
        ["run", "two.yaml", "--host", f"ftp://me:{PASSWORD}@127.0.0.1"],
        ["run", "two.yaml", "--host", f"http://me:{PASSWORD}@127.0.0.1:9"],
        ["run", "two.yaml", "--backend", "openai", "--host", f"http://me:{PASSWORD}@127.0.0.1:9"],
        ["run", "two.yaml", "--host", "http://me:pass/word-Kq2Kq2@127.0.0.1:9"],
        ["run", "two.yaml", "--set", f"roles.nobody.host=http://me:{PASSWORD}@127.0.0.1:9"],
        ["run", "two.yaml", "--set", f"http://me:{PASSWORD}@127.0.0.1:9"],
        ["run", "two.yaml", "--set", f'roles.anna.host="http://me:{PASSWORD}@127.0.0.1:9'],
        ["run", "two.yaml", "--set", f"roles.anna.prompt.host=http://me:{PASSWORD}@127.0.0.1:9"],
        ["run", "two.yaml", "--set", f"roles.anna.hots=http://me:{PASSWORD}@127.0.0.1:9"],
        ["run", f"http://me:{PASSWORD}@127.0.0.1:9"],
        ["doctor", "two.yaml", "--host", f"http://me:{PASSWORD}@127.0.0.1:9"],
        ["doctor", "two.yaml", "--host", f"me:{PASSWORD}@127.0.0.1:x"],
        ["show", f"http://me:{PASSWORD}@127.0.0.1:9"],
        ["validate", f"http://me:{PASSWORD}@127.0.0.1:9"],
        [f"http://me:{PASSWORD}@127.0.0.1:9"],
    ],
)
def test_a_wrong_call_does_not_repeat_a_password(words: list[str], tmp_path: Path) -> None:
    """Messages quote what was given, but not that."""
    pipeline(tmp_path)
    result = llm_gc(*words, cwd=tmp_path)
    assert result.code in (2, 3)
    check_clean(tmp_path, result)
    assert "word-Kq2" not in result.err


def test_no_secret_of_a_proxy_is_told(tmp_path: Path) -> None:
    """It, too, has an address with a password in it."""
    pipeline(tmp_path)
    for proxy in (f"http://me:{PASSWORD}@127.0.0.1:9", f"gopher://me:{PASSWORD}@h", "http://me:pass/word-Kq2Kq2@h"):
        result = llm_gc("run", "two.yaml", "--host", "gpu.example", cwd=tmp_path, HTTP_PROXY=proxy)
        assert result.code == 3
        check_clean(tmp_path, result)
        assert "word-Kq2" not in result.err


ECHOES: list[Behaviour] = [
    Say(["The key: ", *KEY]),
    Error(400, f"no: {KEY}"),
    Redirect(f"http://me:{KEY}@other.example/"),
]


@pytest.mark.parametrize("echo", ECHOES, ids=["a reply", "an error", "a redirect"])
@pytest.mark.parametrize(
    "options", [[], *(pytest.param([one], marks=pytest.mark.slow) for one in ("--json", "--quiet"))]
)
def test_a_key_is_not_told(server: StandIn, tmp_path: Path, echo: Behaviour, options: list[str]) -> None:
    """Neither on either stream nor in any file."""
    pipeline(tmp_path)
    server.script(Say("One."), echo, Say("Three."))
    result = llm_gc(
        "run", "two.yaml", "--backend", "openai", "--host", server.url, *options, cwd=tmp_path, OPENAI_API_KEY=KEY
    )
    assert server.chats[0].headers["authorization"] == f"Bearer {KEY}"
    shown(tmp_path, result)


def test_a_placeholder_stays_where_a_model_writes_it(server: StandIn, tmp_path: Path) -> None:
    """Such a key is none."""
    pipeline(tmp_path)
    server.script(*(Say("Start lm-studio and set OPENAI_API_KEY=lm-studio.") for _ in range(3)))
    options = ("--backend", "openai", "--host", server.url)
    result = llm_gc("run", "two.yaml", *options, cwd=tmp_path, OPENAI_API_KEY="lm-studio")
    assert "anna: Start lm-studio and set OPENAI_API_KEY=lm-studio." in result.out
