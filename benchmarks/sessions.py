"""What looking at sessions costs: a folder of ten thousand, and one of a thousand turns."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.measure import measure

MANY = 10_000
TURNS = 1000
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def print_sessions(rounds: int) -> None:
    """Print what ``ls`` and ``show`` cost, beside what Python itself does and what reading every byte would."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # In a process of its own: what this one holds in memory would count as its children's.
        subprocess.run([sys.executable, "-m", "benchmarks.sessions", "make", name], check=True)
        python, command = sys.executable, [sys.executable, "-m", "llm_gc"]
        many, one, page = str(folder / "many"), str(folder / "long.json"), str(folder / "page.html")
        read = f"import json, pathlib; [json.loads(p.read_bytes()) for p in pathlib.Path({many!r}).iterdir()]"
        commands = {
            "python -c pass": [python, "-c", "pass"],
            f"json.loads of {MANY:,} sessions": [python, "-c", read],
            f"llm-gc ls, {MANY:,} sessions": [*command, "ls", "--sessions", many],
            "llm-gc ls -n 20": [*command, "ls", "--sessions", many, "-n", "20"],
            "llm-gc show last --turn 1": [*command, "show", "last", "--sessions", many, "--turn", "1"],
            f"llm-gc show, {TURNS:,} turns": [*command, "show", one],
            f"llm-gc show --html, {TURNS:,} turns": [*command, "show", one, "--html", page, "--force"],
            f"llm-gc show --markdown, {TURNS:,} turns": [*command, "show", one, "--markdown", page, "--force"],
        }
        measured = measure(commands, rounds, dict(os.environ))
        subprocess.run(commands[f"llm-gc show --html, {TURNS:,} turns"], check=True)
        size = Path(page).stat().st_size, Path(one).stat().st_size
    nothing = measured["python -c pass"].median("cpu")
    print(f"\nlooking at sessions, medians of {rounds} runs\n")
    print(f"{'':36}{'CPU ms':>8}{'wall ms':>9}{'peak MB':>9}{'CPU / pass':>12}")
    for title, figures in measured.items():
        cpu, wall, memory = (figures.median(key) for key in ("cpu", "wall", "memory"))
        print(f"{title:36}{cpu:8.0f}{wall:9.0f}{memory:9.1f}{cpu / nothing:12.1f}")
    print(f"the page has {size[0] / 1e6:.2f} MB, its session {size[1] / 1e6:.2f} MB")


def _make(folder: Path) -> None:
    """Write the sessions that are looked at."""
    from llm_gc.transcript.encode import dumps
    from tests.shown import long, rich

    (folder / "many").mkdir()
    text = dumps(rich(), indent=1) + "\n"
    for number in range(MANY):
        moment = BEGIN + timedelta(seconds=37 * number)
        (folder / "many" / f"{moment:%Y%m%dT%H%M%SZ}-durations.json").write_text(text, encoding="utf-8")
    (folder / "long.json").write_text(dumps(long(TURNS), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1] == "make":
        _make(Path(sys.argv[2]))
    else:
        print_sessions(int(sys.argv[1]))
