"""What a rehearsal costs: states in a second, how states grow with rounds, and the memory that it takes."""

from __future__ import annotations

import gc
import os
import statistics
import sys
from collections.abc import Mapping
from pathlib import Path
from time import process_time
from typing import Any

from benchmarks.measure import measure
from llm_gc import project
from llm_gc.cli.rehearse import GC_THRESHOLD
from llm_gc.model_checker.default_inputs import default_inputs
from llm_gc.model_checker.search import Exploration, Search
from llm_gc.project import Loaded

PIPELINES = Path(__file__).resolve().parent.parent / "pipelines"
RUNS = 9
ROUNDS = (2, 4, 8)


def print_rehearse() -> None:
    """Print how fast states are reached in two pipelines, their growth with rounds, and the memory of the largest."""
    gc.set_threshold(GC_THRESHOLD)  # as the command does
    print(f"\nrehearsal, CPU, medians of {RUNS} runs")
    print("states: different ones, each gone on from in every way; come to: those, endings, and known ones once more\n")
    print(f"{'':32}{'states':>8}{'come to':>9}{'ms':>8}{'states/s':>10}{'come to/s':>11}")
    for name in ("m1", "debate"):
        _row(name, _load(name), {})
    for rounds in ROUNDS:
        _row(f"m1, {rounds} rounds", _load("m1"), {"rounds": rounds})
    for rounds in (1, 2, 4):  # it allows 5 at most
        _row(f"debate of 2, {rounds} rounds", _load("debate"), {"rounds": rounds, "debaters": 2})
    _memory()


def _row(title: str, loaded: Loaded, given: Mapping[str, Any]) -> None:
    inputs = {name: one.value for name, one in default_inputs(loaded.pipeline, given).items()}
    timed = [_explored(loaded, inputs) for _ in range(RUNS + 1)][1:]
    seconds, found = statistics.median(seconds for seconds, _ in timed), timed[0][1]
    states, come_to = len(found.nodes), found.generated
    speeds = f"{states / seconds:10.0f}{come_to / seconds:11.0f}"
    print(f"{title:32}{states:8}{come_to:9}{seconds * 1000:8.1f}{speeds}")


def _explored(loaded: Loaded, inputs: Mapping[str, Any]) -> tuple[float, Exploration]:
    began = process_time()
    found = Search(loaded.pipeline, inputs, loaded.files).run()
    return process_time() - began, found


def _memory() -> None:
    """Print the peak memory of whole commands: of one with few states, and of the one with most in the gallery."""
    commands = {name: [sys.executable, "-m", "llm_gc", "rehearse", str(PIPELINES / f"{name}.yaml")]
                for name in ("m1", "delphi", "group-chat-by-hand")}  # fmt: skip
    paths = os.pathsep.join([str(PIPELINES.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    print()
    for name, measured in measure(commands, 1, {**os.environ, "PYTHONPATH": paths}).items():
        print(f"{f'llm-gc rehearse {name}':40}{measured.median('memory'):9.1f} MB{measured.median('cpu'):9.0f} ms")


def _load(name: str) -> Loaded:
    return project.load(str(PIPELINES / f"{name}.yaml"))


if __name__ == "__main__":
    print_rehearse()
