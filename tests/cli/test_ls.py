"""``llm-gc ls`` as its own process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from llm_gc.transcript.encode import dumps
from tests.commands import llm_gc
from tests.shown import rich


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working directory with a finished session, one that cannot be read, and one of a hostile name."""
    sessions = tmp_path / "sessions"
    sessions.mkdir()
    text = dumps(rich(), indent=1)
    (sessions / "20260101T000000Z-durations.json").write_text(text, encoding="utf-8")
    (sessions / "20260102T000000Z-\x1b[31mred.json").write_text(text, encoding="utf-8")
    (sessions / "20260103T000000Z-m1.json").write_text("[", encoding="utf-8")
    return tmp_path


def test_a_line_for_each_session(folder: Path) -> None:
    """Newest first, under a heading: status, turns, failed ones, tokens, time and id, within 80 columns."""
    result = llm_gc("ls", cwd=folder)
    head, broken, _, good = result.out.splitlines()
    assert head.split() == ["STATUS", "TURNS", "FAILED", "TOKENS", "TIME", "SESSION"]
    totals = rich().totals
    shown = ["completed", "12", "1", f"{totals.tokens.total:,}", f"{totals.seconds:.1f}", "s"]
    assert good.split() == [*shown, "20260101T000000Z-durations"]
    assert len(good) < 80
    assert broken.split(maxsplit=5)[0] == "unreadable"
    assert broken.endswith("20260103T000000Z-m1: it is no JSON that can be read")
    assert (result.code, result.err) == (0, "")


def test_nothing_that_a_terminal_would_obey(folder: Path) -> None:
    """A file's name is cleaned as all else is."""
    assert "\x1b" not in llm_gc("ls", cwd=folder).out
    assert "\x1b" not in llm_gc("ls", "--json", cwd=folder).out


def test_json_is_one_list(folder: Path) -> None:
    """All that is known of each, the broken one with its problem."""
    data = json.loads(llm_gc("ls", "--json", cwd=folder).out)
    assert [session["status"] for session in data] == ["unreadable", "completed", "completed"]
    assert data[0]["problem"] == "it is no JSON that can be read"
    totals = rich().totals
    assert data[2]["tokens"] == totals.tokens.total
    assert data[2]["seconds"] == totals.seconds
    assert Path(folder / data[2]["path"]).is_file()


def test_the_newest_alone(folder: Path) -> None:
    """As many as were asked for."""
    assert len(json.loads(llm_gc("ls", "--json", "-n", "2", cwd=folder).out)) == 2
    assert len(llm_gc("ls", "-n", "1", cwd=folder).out.splitlines()) == 2


def test_no_sessions(tmp_path: Path) -> None:
    """An empty list is one; where lines are asked for, it is said how one comes about."""
    assert llm_gc("ls", "--json", cwd=tmp_path).out == "[]\n"
    result = llm_gc("ls", cwd=tmp_path)
    assert (result.code, result.out) == (0, "")
    assert "llm-gc run leaves one there" in result.err


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    """It is said in a sentence."""
    (tmp_path / "sessions").write_text("")
    result = llm_gc("ls", cwd=tmp_path)
    assert result.code == 2
    assert result.err == "llm-gc: sessions cannot be read: not a directory\n"


def test_it_loads_little() -> None:
    """A listing needs neither the core nor the models of a transcript."""
    code = """
import sys
from llm_gc.cli.ls import command
command(["--sessions", "nowhere"], standalone_mode=False)
print(*sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"pydantic", "jinja2", "httpx", "rich", "asyncio", "llm_gc.core"} & set(done.stdout.split())
