"""The main job: M1 against a model server on a real socket, from YAML to transcript."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from llm_gc import load_session, messages_of
from tests.commands import M1, Result, copy_m1, llm_gc, transcripts
from tests.standin import ENGINE_STOPPED, QUEUE_FULL, Cut, Error, Hang, Model, Say, StandIn
from tests.standin.server import PATIENCE

MODELS = [Model("qwen2.5-coder:1.5b"), Model("deepseek-coder:1.3b")]
APPROVAL = "The plan is good.\n\n**APPROVED**"


@pytest.fixture
def server() -> Iterator[StandIn]:
    """A server that has both models."""
    with StandIn(MODELS) as running:
        yield running


def m1(server: StandIn, folder: Path, *args: str, task: str = "sort a list") -> Result:
    """Run M1 against a server, in a folder."""
    return llm_gc("run", M1, "--task", task, "--host", server.url, *args, cwd=folder)


def roles(transcript: Any) -> list[str]:
    """Return who spoke."""
    return [turn["role"] for turn in transcript["turns"]]


@pytest.mark.parametrize(("rounds", "turns"), [(1, 2), (3, 6)])
def test_rounds(server: StandIn, tmp_path: Path, rounds: int, turns: int) -> None:
    """Each round both speak once, in turn."""
    server.script(*(Say(f"words {n}") for n in range(turns)))
    result = m1(server, tmp_path, "--rounds", str(rounds))
    (transcript,) = transcripts(tmp_path)
    assert result.code == 0
    assert roles(transcript) == ["implementer", "reviewer"] * rounds
    assert transcript["ended_by"]["reason"] == "turns_done"
    assert result.out.splitlines() == [
        f"{'implementer' if n % 2 == 0 else 'reviewer'}: words {n}" for n in range(turns)
    ]


def test_max_turns_stops_hard(server: StandIn, tmp_path: Path) -> None:
    """With limits.max_turns: 4 exactly four are taken, though three rounds were asked for."""
    text = Path(M1).read_text(encoding="utf-8").replace('max_turns: "{{ rounds * 2 }}"', "max_turns: 4")
    copy_m1(tmp_path).write_text(text, encoding="utf-8")
    result = llm_gc("run", "m1.yaml", "--task", "x", "--host", server.url, cwd=tmp_path)
    (transcript,) = transcripts(tmp_path)
    assert (result.code, len(transcript["turns"]), len(server.chats)) == (0, 4, 4)
    assert (transcript["status"], transcript["ended_by"]["reason"]) == ("stopped", "max_turns")


def test_approval_ends_it(server: StandIn, tmp_path: Path) -> None:
    """The token on a line of its own, said by the reviewer, is the end."""
    server.script(Say("a plan"), Say(APPROVAL))
    assert m1(server, tmp_path).code == 0
    (transcript,) = transcripts(tmp_path)
    assert (transcript["status"], transcript["ended_by"]["reason"]) == ("completed", "stop_token")
    assert (len(transcript["turns"]), transcript["result"]) == (2, "a plan")


def test_the_word_alone_does_not_end_it(server: StandIn, tmp_path: Path) -> None:
    """Neither in a sentence, nor said by the implementer, nor in the task."""
    server.script(Say("APPROVED"), Say("It is not APPROVED yet."), Say("plan"), Say("APPROVED? No."))
    assert m1(server, tmp_path, "--rounds", "2", task="APPROVED").code == 0
    assert len(transcripts(tmp_path)[0]["turns"]) == 4


def test_the_transcript_holds_everything(server: StandIn, tmp_path: Path) -> None:
    """Models, latency, tokens, digests, the request as the server got it: rebuilt exactly, and nothing else is left."""
    m1(server, tmp_path, "--rounds", "2")
    (file,) = (tmp_path / "sessions").iterdir()
    transcript = load_session(file)
    assert transcript.versions.server == "0.33.0"
    assert set(transcript.versions.models) == {"qwen2.5-coder:1.5b", "deepseek-coder:1.3b"}
    assert all(digest and len(digest) == 64 for digest in transcript.versions.models.values())
    assert transcript.pipeline.document["roles"]["reviewer"]["num_ctx"] == 4096
    for turn, sent in zip(transcript.turns, server.chats, strict=True):
        assert messages_of(transcript, turn) == sent.json["messages"]
        assert dict(turn.request.options) == sent.json["options"]
        assert turn.tokens.prompt
        assert turn.tokens.completion
        assert turn.latency.total is not None
        assert turn.latency.total > 0
        assert turn.model == sent.json["model"]


def test_what_is_sent_holds_the_context_contract(server: StandIn, tmp_path: Path) -> None:
    """An explicit window, no truncation, no shift, a seed, a limit on tokens, no tools; and no load after the first."""
    m1(server, tmp_path)
    for sent in server.chats:
        assert sent.json["truncate"] is False
        assert sent.json["shift"] is False
        assert sent.json["options"]["num_ctx"] == 4096
        assert sent.json["options"]["num_predict"] in (512, 400)
        assert isinstance(sent.json["options"]["seed"], int)
        assert "tools" not in sent.json
    assert server.load_counts == {"qwen2.5-coder:1.5b": 1, "deepseek-coder:1.3b": 1}


def test_each_request_begins_with_the_roles_last_one(server: StandIn, tmp_path: Path) -> None:
    """The server can reuse its prefix cache: a role's prompt only ever grows at its end."""
    m1(server, tmp_path)
    for model in ("qwen2.5-coder:1.5b", "deepseek-coder:1.3b"):
        sent = [chat.json["messages"] for chat in server.chats if chat.json["model"] == model]
        for earlier, later in pairwise(sent):
            assert later[: len(earlier) - 1] == earlier[:-1]
            assert later[len(earlier) - 1]["content"].startswith(earlier[-1]["content"])


def test_the_same_seed_sends_the_same_requests(server: StandIn, tmp_path: Path) -> None:
    """Two runs with the same seed and the same replies are the same."""
    for _ in range(2):
        server.script(Say("a plan"), Say(APPROVAL))
        m1(server, tmp_path, "--seed", "7")
    first, second = transcripts(tmp_path)
    assert [t["request"] for t in first["turns"]] == [t["request"] for t in second["turns"]]
    assert first["seed"] == second["seed"] == 7


def test_a_hang_is_given_up(server: StandIn, tmp_path: Path) -> None:
    """The turn fails, the server sees the connection close, the next speaker continues, and all is well in the end."""
    text = Path(M1).read_text(encoding="utf-8").replace("on_error: continue", "first_token: 700ms")
    copy_m1(tmp_path).write_text(text, encoding="utf-8")
    server.script(Say("a plan"), Hang(), Say("another plan"), Say(APPROVAL))
    result = llm_gc("run", "m1.yaml", "--task", "x", "--host", server.url, cwd=tmp_path)
    (transcript,) = transcripts(tmp_path)
    assert server.chats[1].gone.wait(PATIENCE)
    assert result.code == 0
    assert [bool(turn["error"]) for turn in transcript["turns"]] == [False, True, False, False]
    failed = transcript["turns"][1]
    assert (failed["error"]["kind"], failed["content"], failed["heard"]) == ("timeout", "", False)
    assert "Reviewer: " not in str(server.chats[2].json)
    assert "turn 2" in result.err
    assert "limits.first_token" in result.err


def test_a_reply_that_stops_coming_is_cut_and_heard(server: StandIn, tmp_path: Path) -> None:
    """The server sees the connection close, the others are sent what had come, and the run says why it is cut."""
    text = Path(M1).read_text(encoding="utf-8").replace("on_error: continue", "gap: 700ms")
    copy_m1(tmp_path).write_text(text, encoding="utf-8")
    server.script(Say("a plan"), Hang(Say("I think that"), lines=2), Say("another plan"), Say(APPROVAL))
    result = llm_gc("run", "m1.yaml", "--task", "x", "--host", server.url, cwd=tmp_path)
    (transcript,) = transcripts(tmp_path)
    assert server.chats[1].gone.wait(PATIENCE)
    assert result.code == 0
    assert transcript["totals"]["failed"] == 0
    turn = transcript["turns"][1]
    assert (turn["content"], turn["cut"], turn["cut_by"]["limit"], turn["heard"]) == ("I think", True, "gap", True)
    assert "Reviewer: I think" in str(server.chats[2].json)
    assert "turn 2" in result.err
    assert "limits.gap" in result.err


def test_a_busy_server_is_asked_again(server: StandIn, tmp_path: Path) -> None:
    """What section 10 of the server's facts calls worth a retry is tried again, and each try is recorded."""
    server.script(Error(503, QUEUE_FULL), Error(500, ENGINE_STOPPED), Say("a plan"), Say(APPROVAL))
    result = m1(server, tmp_path)
    (transcript,) = transcripts(tmp_path)
    assert result.code == 0
    assert len(transcript["turns"]) == 2
    assert [attempt["error"]["kind"] for attempt in transcript["turns"][0]["attempts"]] == ["server", "server"]


def test_a_broken_connection_fails_open(server: StandIn, tmp_path: Path) -> None:
    """A reply that breaks off each time is a failed turn; the conversation continues."""
    server.script(Cut(), Cut(), Cut(), Say("Where is the plan?"))
    result = m1(server, tmp_path, "--rounds", "1")
    (transcript,) = transcripts(tmp_path)
    assert result.code == 0
    assert [bool(turn["error"]) for turn in transcript["turns"]] == [True, False]
    assert len(transcript["turns"][0]["attempts"]) == 3


def test_no_turn_succeeded(server: StandIn, tmp_path: Path) -> None:
    """If nobody said anything the run has failed, and says so."""
    server.script(*(Error(400, "the template is broken") for _ in range(2)))
    result = m1(server, tmp_path, "--rounds", "1")
    assert result.code == 1
    assert transcripts(tmp_path)[0]["status"] == "failed"
    assert "no turn succeeded" in result.err


def test_a_server_that_goes_away_for_good(tmp_path: Path) -> None:
    """In the middle of a run: exit 3, and what was said is in the transcript."""
    server = StandIn(MODELS).__enter__()
    server.script(Say("a plan"))

    def leave() -> None:
        server.wait_for_chats(1)
        server.chats[0].answered.wait(PATIENCE)
        server.__exit__(None, None, None)

    leaving = threading.Thread(target=leave)
    leaving.start()
    result = m1(server, tmp_path)
    leaving.join()
    (transcript,) = transcripts(tmp_path)
    assert result.code == 3
    assert transcript["status"] == "failed"
    assert [bool(turn["error"]) for turn in transcript["turns"]] == [False, True]


def test_no_server(tmp_path: Path) -> None:
    """Exit 3 at once: where it looked, how to start it, how to point elsewhere, what needs none; no file is left."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    result = llm_gc("run", M1, "--task", "x", cwd=tmp_path, OLLAMA_HOST=f"127.0.0.1:{port}")
    assert result.code == 3
    for words in (f"http://127.0.0.1:{port}", "ollama serve", "--host", "OLLAMA_HOST", "--backend rehearsal"):
        assert words in result.err
    assert not list((tmp_path / "sessions").iterdir())


def test_missing_models(tmp_path: Path) -> None:
    """All are named at once, each with the line that gets it; exit 3."""
    with StandIn([Model("llama3.2:1b")]) as server:
        result = m1(server, tmp_path)
    assert result.code == 3
    assert "ollama pull qwen2.5-coder:1.5b" in result.err
    assert "ollama pull deepseek-coder:1.3b" in result.err


def test_auto_falls_back_loudly(tmp_path: Path) -> None:
    """Without the models the stand-in speaks, and nobody can take it for a model."""
    with StandIn([]) as server:
        result = m1(server, tmp_path, "--backend", "auto")
    (transcript,) = transcripts(tmp_path)
    assert result.code == 0
    assert "NO MODEL SPEAKS" in result.err
    assert "ollama pull qwen2.5-coder:1.5b" in result.err
    assert {turn["model"] for turn in transcript["turns"]} == {"rehearsal"}


def test_auto_takes_the_server_when_it_is_there(server: StandIn, tmp_path: Path) -> None:
    """With the models there, they speak."""
    result = m1(server, tmp_path, "--backend", "auto", "--rounds", "1")
    assert "NO MODEL" not in result.err
    assert len(server.chats) == 2
