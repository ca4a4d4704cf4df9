"""``python -m benchmarks [ROUNDS]``: what the command line costs, beside what a bare script costs."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import Measured, measure

ROOT = Path(__file__).resolve().parent.parent
MODELS = ("qwen2.5-coder:1.5b", "deepseek-coder:1.3b")
TASK = "sort a list"


def main() -> None:
    """Measure, and print a table."""
    given = sys.argv[1] if len(sys.argv) > 1 else "15"
    if not given.isdecimal():
        sys.exit(f"{given!r} is no number of rounds; one benchmark alone is python -m benchmarks.NAME")
    rounds = int(given)
    with tempfile.TemporaryDirectory() as folder, _stand_in() as (url, environ):
        sessions = Path(folder) / "sessions"
        requests = Path(folder) / "requests.json"
        python, m1 = sys.executable, str(ROOT / "pipelines" / "m1.yaml")
        # In a process of its own: what this one holds in memory would count as its children's.
        subprocess.run([python, "-m", "benchmarks.posted", url, str(sessions), str(requests)], check=True, env=environ)
        command = [python, "-m", "llm_gc"]
        run = [*command, "run", m1, "--task", TASK, "--sessions", str(sessions)]
        commands = {
            "python -c pass": [python, "-c", "pass"],
            "llm-gc --version": [*command, "--version"],
            "llm-gc --help": [*command, "--help"],
            "llm-gc validate m1.yaml": [*command, "validate", m1],
            "bare httpx script, 6 requests": [python, str(ROOT / "benchmarks" / "bare.py"), url, str(requests)],
            "llm-gc run m1.yaml, 6 turns": run,
        }
        _print(measure(commands, rounds, environ), rounds)
        subprocess.run([python, "-m", "benchmarks.core"], check=True, env=environ)
        subprocess.run([python, "-m", "benchmarks.validate"], check=True, env=environ)
        subprocess.run([python, "-m", "benchmarks.journal"], check=True, env=environ)
        subprocess.run([python, "-m", "benchmarks.sessions", str(min(rounds, 5))], check=True, env=environ)
        subprocess.run([python, "-m", "benchmarks.rehearse"], check=True, env=environ)


class _stand_in:  # noqa: N801  # used as a function
    """A model server without latency, in its own process."""

    def __enter__(self) -> tuple[str, dict[str, str]]:
        """Return its address, and an environment that names it."""
        models = [word for model in MODELS for word in ("--model", model)]
        command = [sys.executable, "-m", "tests.standin", "--port", "0", *models, "--reply", "A plan in five words."]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        url = self._process.stdout.readline().strip()
        paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        return url, {**os.environ, "OLLAMA_HOST": url, "PYTHONPATH": paths}

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()


def _print(measured: dict[str, Measured], rounds: int) -> None:
    bare = measured["bare httpx script, 6 requests"].median("cpu")
    nothing = measured["python -c pass"].median("cpu")
    print(f"medians of {rounds} runs, Python {sys.version.split()[0]}\n")
    print(f"{'':32}{'CPU ms':>8}{'wall ms':>9}{'peak MB':>9}{'CPU / pass':>12}{'CPU / bare':>12}")
    for name, figures in measured.items():
        cpu, wall, memory = (figures.median(key) for key in ("cpu", "wall", "memory"))
        print(f"{name:32}{cpu:8.0f}{wall:9.0f}{memory:9.1f}{cpu / nothing:12.2f}{cpu / bare:12.2f}")


if __name__ == "__main__":
    main()
