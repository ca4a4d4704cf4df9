"""The windows that nobody gives: settled before the first turn, written into the record, and the same ever after."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from llm_gc import load_session, project
from llm_gc.backends.ollama import Ollama
from llm_gc.language.inputs import resolve
from llm_gc.runtime.replay import replay
from llm_gc.runtime.resolution import cast_with_needs
from llm_gc.runtime.restore import restored
from llm_gc.runtime.run import Run
from llm_gc.transcript.records import Transcript
from tests.standin import Model, StandIn

PIPELINE = """
name: windows
inputs: {task: {type: string, maxLength: MOST}}
roles:
  anna: {model: "demo:1b", prompt: You plan., max_tokens: 64}
  ben: {model: "demo:1b", prompt: You judge., max_tokens: 64}
opening: "{{ task }}"
turns: [anna, ben]
"""


class Warned:
    """Keeps the warnings of a run, and takes no notice of anything else."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def trouble(self, message: str) -> None:
        """Keep a warning."""
        self.words.append(message)

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


def load(folder: Path, most: int, **changes: str) -> project.Loaded:
    """The pipeline, with an input of this length and some changes to its text."""
    text = PIPELINE.replace("MOST", str(most))
    for old, new in changes.items():
        text = text.replace(old, new)
    (folder / "windows.yaml").write_text(text, encoding="utf-8")
    return project.load(str(folder / "windows.yaml"))


def played(folder: Path, server: StandIn, loaded: project.Loaded, task: str) -> tuple[Transcript, list[str]]:
    """A run of it, and the warnings before its first turn."""
    warned = Warned()
    given = resolve(loaded.pipeline.inputs, {"task": task})
    run = Run(loaded, given, Ollama(server.url), (warned,), folder / "sessions", 7)
    asyncio.run(run.go())
    assert run.path is not None
    return load_session(run.path), warned.words


@pytest.mark.parametrize(("most", "window"), [(1000, 4096), (20_000, 8192), (60_000, 8192)])
def test_a_run_asks_for_the_window_that_can_be_needed(tmp_path: Path, most: int, window: int) -> None:
    """The same for every value of the inputs, and one load is enough; more than there is is told before the start."""
    loaded = load(tmp_path, most)
    with StandIn([Model("demo:1b", context=131072)]) as server:
        (short, warned), (long, _) = (played(tmp_path, server, loaded, "x" * count) for count in (1, most // 10))
        assert [chat.json["options"]["num_ctx"] for chat in server.chats] == [window] * 4
        assert server.load_counts == {"demo:1b": 1}
    assert short.versions.windows == long.versions.windows == {"demo:1b": window}
    assert short.pipeline.document["roles"]["anna"]["num_ctx"] == window
    assert [("num_ctx: 16384" in words) for words in warned] == ([True] if most == 60_000 else [])
    assert replay(short, restored(short)).difference is None


def test_what_a_role_can_need_goes_to_the_backend_with_its_casting(tmp_path: Path) -> None:
    """Nothing is said where older messages are dropped, or where every window is declared."""

    def needs(**changes: str) -> list[int | None]:
        loaded = load(tmp_path, 1000, **changes)
        return [casting.needs for casting in cast_with_needs(loaded, {"task": "x"})]

    anna, ben = needs()
    assert anna is not None
    assert ben is not None
    assert 250 + 64 < anna < ben < 600
    assert needs(opening="limits: {on_overflow: drop_oldest}\nopening") == [None, None]
    assert needs(prompt="num_ctx: 512, prompt") == [None, None]
