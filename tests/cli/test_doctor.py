"""``llm-gc doctor`` as a user runs it, against servers on real sockets."""

from __future__ import annotations

import json
import signal
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.cli.terminal import Terminal
from tests.commands import M1, command, environ, llm_gc
from tests.standin import Error, Hang, Model, Say, StandIn

QWEN = Model("qwen2.5-coder:1.5b", context=32768, capabilities=("completion", "tools"))
DEEPSEEK = Model("deepseek-coder:1.3b", context=16384)

PIPELINE = """
name: two
roles:
  anna: {{model: "demo:1b", prompt: You plan., num_ctx: 8192, think: true, options: {{mirostat: 1}}, host: "{ollama}"}}
  ben: {{model: "demo:1b", prompt: You judge., think: true, backend: openai, host: "{openai}"}}
opening: Plan it.
turns: [anna, ben]
"""


def test_a_server_alone(tmp_path: Path) -> None:
    """Without a file: what answers, what it has, what it holds; nothing is loaded for that."""
    with StandIn([QWEN, DEEPSEEK], version="0.33.0-rc2") as server:
        result = llm_gc("doctor", "--host", server.url, cwd=tmp_path)
        assert server.loads == []
        assert {request.method for request in server.requests} == {"GET"}
    assert (result.code, result.err) == (0, "\nReady: no problems found.\n")
    assert result.out.splitlines() == [
        f"Ollama at {server.url} (--host)",
        "  ok: it answers as version 0.33.0-rc2, and has 2 models",
        "  ok: holds no model in memory now",
        "",
        "Models",
        "  ok: qwen2.5-coder:1.5b, 986 MB",
        "  ok: deepseek-coder:1.3b, 986 MB",
    ]


def test_a_model_is_missing(tmp_path: Path) -> None:
    """It is named, with who needs it and where, and the command that gets it; that is exit code 3."""
    with StandIn([QWEN]) as server:
        result = llm_gc("doctor", M1, "--host", server.url, cwd=tmp_path)
        assert server.loads == []
    assert result.code == 3
    assert "ok: qwen2.5-coder:1.5b: can do completion, tools, trained for 32,768 tokens, 986 MB" in result.out
    assert "error: deepseek-coder:1.3b, which plays reviewer, is not there." in result.out
    assert f"`OLLAMA_HOST={server.url} ollama pull deepseek-coder:1.3b`" in result.out
    assert "m1.yaml:21:12" in result.out
    assert "1 problem found" in result.err


def test_it_is_got(tmp_path: Path) -> None:
    """``--pull`` has the server get it, tells how far it is in plain lines, and looks again."""
    with StandIn([QWEN], library=[DEEPSEEK]) as server:
        result = llm_gc("doctor", M1, "--host", server.url, "--pull", cwd=tmp_path)
        pulls = [request.json for request in server.requests if request.path == "/api/pull"]
    assert result.code == 0, result.out
    assert pulls == [{"model": "deepseek-coder:1.3b", "stream": True}]
    told = result.err.splitlines()
    assert told[0] == "getting deepseek-coder:1.3b"
    assert f"deepseek-coder:1.3b: pulling {DEEPSEEK.digest[:12]} 50 %" in told
    assert told.count("deepseek-coder:1.3b: success") == 1
    assert "ok: deepseek-coder:1.3b: can do completion" in result.out


def test_it_cannot_be_got(tmp_path: Path) -> None:
    """An error that comes after HTTP 200 is one; nothing is reported as if it had come."""
    with StandIn([QWEN]) as server:
        result = llm_gc("doctor", M1, "--host", server.url, "--pull", cwd=tmp_path)
    assert result.code == 3
    assert "did not get deepseek-coder:1.3b: pull model manifest: file does not exist" in result.err


def test_a_download_is_stopped(tmp_path: Path) -> None:
    """Ctrl-C ends it: the server is left alone, and it is said that the next one continues from there."""
    with StandIn([QWEN], library=[DEEPSEEK]) as server:
        server.intercept("/api/pull", Hang())
        words = command("doctor", M1, "--host", server.url, "--pull")
        process = subprocess.Popen(words, cwd=tmp_path, env=environ(), stderr=subprocess.PIPE, text=True)
        server.wait_until(lambda: any(request.path == "/api/pull" for request in server.requests), 30)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "pulling again continues where this download stopped" in err
    assert "Traceback" not in err


def test_a_bar_in_a_terminal(tmp_path: Path) -> None:
    """There a bar shows how far it is, and each line of the report has a mark."""
    with StandIn([QWEN], library=[replace(DEEPSEEK, size=10**9)]) as server:
        terminal = Terminal(command("doctor", M1, "--host", server.url, "--pull"), tmp_path, environ(), columns=120)
        terminal.read()
    assert terminal.code == 0
    assert "1.0/1.0 GB" in terminal.plain
    assert "✓ deepseek-coder:1.3b: can do completion" in terminal.plain
    assert "ok:" not in terminal.plain


def test_probes(tmp_path: Path) -> None:
    """``--probe`` asks each model once; what it does, and which models stay loaded, is told."""
    yes = Say(json.dumps({"answer": "yes"}))
    with StandIn([QWEN, DEEPSEEK], max_loaded=1) as server:
        server.script(yes, Say("Snow is white."))
        result = llm_gc("doctor", M1, "--host", server.url, "--probe", cwd=tmp_path)
        assert server.load_counts == {"qwen2.5-coder:1.5b": 1, "deepseek-coder:1.3b": 1}
        assert len(server.chats) == 2
    assert result.code == 1, result.out
    assert "qwen2.5-coder:1.5b answers in" in result.out
    assert "keeps to the form of a structured reply, does not think when told not to" in result.out
    assert "note: deepseek-coder:1.3b does not keep to a form that it is given" in result.out
    assert "warning: Only 1 of 2 models stay loaded side by side: qwen2.5-coder:1.5b had to go." in result.out
    assert "OLLAMA_MAX_LOADED_MODELS" in result.out


def test_settings_that_are_ignored(tmp_path: Path) -> None:
    """Servers of two kinds: what each of them passes over is said, with its place; as JSON too."""
    with StandIn([Model("demo:1b", context=4096)]) as ollama, StandIn([Model("demo:1b")]) as openai:
        text = PIPELINE.format(ollama=ollama.url, openai=openai.url)
        (tmp_path / "two.yaml").write_text(text, encoding="utf-8")
        result = llm_gc("doctor", "two.yaml", cwd=tmp_path)
        as_json = llm_gc("doctor", "two.yaml", "--json", cwd=tmp_path)
    assert (result.code, as_json.code) == (1, 1)
    data: Any = json.loads(as_json.out)
    assert [server["kind"] for server in data["servers"]] == ["ollama", "openai"]
    assert data["servers"][0]["models"]["demo:1b"]["facts"]["context_length"] == 4096
    mended = {(one["code"], *one["places"]) for one in data["findings"] if one["severity"] != "note"}
    assert mended == {
        ("idle-think", "two.yaml:4:69"),
        ("beyond-training", "two.yaml:4:56"),
        ("ignored", "two.yaml:4:95"),
        ("ignored", "two.yaml:5:8"),
    }
    assert "think of ben is not sent to demo:1b: OpenAI's API has no word for it." in result.out
    assert f"OpenAI-compatible server at {openai.url}/v1 (a role's host)" in result.out


def test_nobody_answers(tmp_path: Path) -> None:
    """One paragraph, exit code 3, and nothing is said about models that nobody has seen, nor of running without one."""
    result = llm_gc("doctor", M1, "--host", "127.0.0.1:1", cwd=tmp_path)
    assert result.code == 3
    assert "error: No Ollama answers at http://127.0.0.1:1 (--host): connection refused." in result.out
    assert "Models" not in result.out
    assert "rehearsal" not in result.out


def test_a_server_that_fails(tmp_path: Path) -> None:
    """What answers with an error is no absent server; it cannot be used all the same."""
    with StandIn([QWEN]) as server:
        server.intercept("/api/tags", Error(500, "the disk is gone"))
        result = llm_gc("doctor", "--host", server.url, cwd=tmp_path)
    assert result.code == 3
    assert "the disk is gone" in result.out


def test_a_model_that_an_input_names(tmp_path: Path) -> None:
    """Inputs are options here too; one that is missing is made up, since only the models matter."""
    text = """
name: which
inputs:
  task: {type: string}
  model: {type: string, default: "demo:1b"}
roles: {anna: {model: "{{ model }}", prompt: Plan it., num_ctx: 2048}}
opening: "{{ task }}"
turns: [anna]
"""
    (tmp_path / "which.yaml").write_text(text, encoding="utf-8")
    with StandIn([Model("demo:1b")]) as server:
        fine = llm_gc("doctor", "which.yaml", "--host", server.url, cwd=tmp_path)
        other = llm_gc("doctor", "which.yaml", "--host", server.url, "--input", "model=other:7b", cwd=tmp_path)
    assert fine.code == 0, fine.out
    assert other.code == 3
    assert "other:7b, which plays anna, is not there" in other.out


def test_wrong_use(tmp_path: Path) -> None:
    """An address that is none, and a kind of server of which nobody says where it is."""
    odd = llm_gc("doctor", "--host", "ftp://x", cwd=tmp_path)
    lost = llm_gc("doctor", "--backend", "openai", cwd=tmp_path)
    assert (odd.code, lost.code) == (2, 2)
    assert "ftp:// is neither http:// nor https://" in odd.err
    assert "nothing says where the OpenAI-compatible server is" in lost.err
