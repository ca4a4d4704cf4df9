"""Ctrl-C once ends a command in order; Ctrl-C again ends the process at once, whatever it is doing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.terminal import Terminal
from tests.commands import environ, llm_gc, transcripts

pytestmark = pytest.mark.skipif(os.name == "nt", reason="sends signals")

PIPELINE = """
name: stuck
roles: {anna: {model: m, prompt: You are Anna.}, ben: {model: m, prompt: You are Ben.}}
opening: Begin.
stop: [DONE]
turns: [anna, ben, anna]
"""

STUCK = """
import sys, threading
from llm_gc.core import turn

calls = []

def says(*_):
    calls.append(1)
    if len(calls) > 1:
        open("reached", "w").close()
        threading.Event().wait()
    return False

turn.says = says
from llm_gc.cli import main
main()
"""
"""A run whose second reply is looked at for ever."""

RAW = """
import asyncio, tty
from llm_gc.cli import process

async def raw():
    tty.setraw(0)
    print("raw", flush=True)
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass

process.run_async(raw())
"""
"""A command that has changed the terminal, and does not end."""

PRESSING = """
import os, signal
from llm_gc.core import turn

really = turn.says

def says(*args):
    os.kill(os.getpid(), signal.SIGINT)
    return really(*args)

turn.says = says
from llm_gc.cli import main
main()
"""
"""A run in which Ctrl-C is pressed whenever a reply is looked at."""

STUBBORN = """
import asyncio, os, signal
from llm_gc.cli import process

process.PATIENCE = 0.01

async def stubborn():
    os.kill(os.getpid(), signal.SIGINT)
    for _ in range(5):
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            print("swallowed")

process.run_async(stubborn())
print("over")
"""
"""A coroutine that takes cancellations for something else."""


@pytest.fixture(autouse=True)
def hearing() -> Iterator[None]:
    """Enable Ctrl-C in child processes, though this one may have been started in the background without it."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def started(folder: Path) -> subprocess.Popen[str]:
    """Start a run, and wait until the second reply is being looked at."""
    (folder / "stuck.yaml").write_text(PIPELINE, encoding="utf-8")
    words = [sys.executable, "-c", STUCK, "run", "stuck.yaml", "--backend", "rehearsal"]
    process = subprocess.Popen(words, cwd=folder, env=environ(), stderr=subprocess.PIPE, text=True)
    while not (folder / "reached").exists():
        assert process.poll() is None
        time.sleep(0.01)
    return process


def pressed_again(process: subprocess.Popen[Any]) -> tuple[int, str]:
    """Ask for an end until there is one: a signal that comes while the one before waits is no second one."""
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        time.sleep(0.1)
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors


def test_the_second_one_ends_it_at_once(tmp_path: Path) -> None:
    """With 130, a line that says so, and the journal with every finished turn: it is resumed from there."""
    process = started(tmp_path)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert process.poll() is None
    code, errors = pressed_again(process)
    assert code == 130
    assert errors.endswith("llm-gc: interrupted\n")
    assert "Traceback" not in errors
    (journal,) = (tmp_path / "sessions").iterdir()
    start, first = [json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines()]
    assert start["start"]
    resumed = llm_gc("resume", "last", cwd=tmp_path)
    assert resumed.code == 0, resumed.err
    (transcript,) = transcripts(tmp_path)
    assert len(transcript["turns"]) == 3
    assert transcript["turns"][0] == first["turn"]


def test_a_request_to_terminate_counts_too(tmp_path: Path) -> None:
    """SIGTERM and then Ctrl-C."""
    process = started(tmp_path)
    process.send_signal(signal.SIGTERM)
    code, errors = pressed_again(process)
    assert code == 130
    assert errors.endswith("llm-gc: interrupted\n")


def test_the_terminal_is_as_it_was(tmp_path: Path) -> None:
    """Where a prompt has put it into a mode of its own, the end puts it back and shows the cursor."""
    terminal = Terminal([sys.executable, "-c", RAW], tmp_path, environ())
    terminal.wait_for("raw")
    pressed_again(terminal.process)
    modes = termios.tcgetattr(terminal._master)
    assert modes[3] & termios.ICANON
    assert modes[3] & termios.ECHO
    assert terminal.read().endswith("\x1b[?25hllm-gc: interrupted\n")
    assert terminal.code == 130


def test_a_swallowed_cancellation_is_repeated(tmp_path: Path) -> None:
    """A library that continues in spite of it is cancelled again, and again."""
    done = finished(tmp_path, sys.executable, "-c", STUBBORN)
    assert done.stdout == "swallowed\n" * 5 + "over\n", done.stderr


def test_ctrl_c_that_nobody_wants_to_be_heard(tmp_path: Path) -> None:
    """A run in the background of a script, which ignores it, is not ended by it."""
    (tmp_path / "a.yaml").write_text(PIPELINE, encoding="utf-8")
    words = f'trap "" INT; exec "{sys.executable}" -c "$0" run a.yaml --backend rehearsal'
    done = finished(tmp_path, "/bin/sh", "-c", words, PRESSING)
    assert done.returncode == 0, done.stderr
    assert transcripts(tmp_path)[0]["status"] == "completed"


def finished(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        words, cwd=folder, env=environ(), capture_output=True, text=True, timeout=60, check=False
    )  # fmt: skip
