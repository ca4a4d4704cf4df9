"""What writing a transcript costs a turn, against a turn of 50 ms: to make its line, and to have it on the disk."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter, process_time, sleep

from benchmarks.core import REPLY
from llm_gc.core import Conversation
from llm_gc.language.pipeline import Pipeline
from llm_gc.runtime.observers import Recorder
from llm_gc.sessions import load_session, reserve
from llm_gc.transcript.records import Header, PipelineRecord, Versions

TURN = 0.05
"""The seconds of a turn to which the cost is compared."""

TURNS = 20
"""So many turns are measured at each length."""


def print_journal() -> None:
    """Print the cost of a turn's line at three lengths, and of closing and reading the transcript."""
    print(f"\nwriting a transcript, beside a turn of {TURN * 1000:.0f} ms\n")
    print(f"{'':40}{'CPU ms':>8}{'wall ms':>9}{'share of a turn':>17}")
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        for turns in (10, 100, 1000):
            for name, cpu, wall in _written(Path(folder), turns):
                share = f"{wall / TURN:17.2%}" if name.startswith("a turn") else ""
                print(f"{name:40}{cpu * 1000:8.2f}{wall * 1000:9.2f}{share}")


def _written(folder: Path, turns: int) -> list[tuple[str, float, float]]:
    """Run and write a conversation; return the median per turn after so many, then those of the end and of reading."""
    roles = {"anna": {"model": "m", "prompt": "You are {{ role.label }}."}, "ben": {"model": "m"}}
    limits = {"max_turns": turns + TURNS}
    document = {"name": "journal", "roles": roles, "turns": [{"repeat": ["anna", "ben"]}], "opening": "Begin."}
    conversation = Conversation(Pipeline.model_validate({**document, "limits": limits}), {})
    journal = reserve(folder, "journal", datetime.now(UTC))
    record = PipelineRecord("journal", "journal.yaml", "0" * 64, document)
    header = Header(journal.id, record, {}, 0, "2026-01-01T00:00:00.000Z", Versions("0", "benchmark"))
    journal.append({"start": header})
    recorder = Recorder(print, {})
    recorder.journal = journal
    spent: list[tuple[float, float]] = []
    while conversation.outcome is None:
        ask = conversation.pending[0]
        _ = ask.request.messages
        conversation.answer(ask, REPLY)
        spent.append(_timed(lambda: recorder.settled(conversation.log[-1])))
        sleep(TURN / 5)  # while a model writes, the disk has time
    turns_had, outcome = conversation.turns, conversation.outcome
    ended = _timed(lambda: journal.finish(recorder.finish(header, turns_had, outcome, "")))
    read = _timed(lambda: load_session(journal.transcript))
    cpu, wall = (statistics.median(one[index] for one in spent[-TURNS:]) for index in (0, 1))
    return [
        (f"a turn after {turns}", cpu, wall),
        (f"  closing {turns + TURNS} turns", *ended),
        ("  reading them", *read),
    ]


def _timed(doing: Callable[[], object]) -> tuple[float, float]:
    cpu, wall = process_time(), perf_counter()
    doing()
    return process_time() - cpu, perf_counter() - wall


if __name__ == "__main__":
    print_journal()
