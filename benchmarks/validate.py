"""``python -m benchmarks.validate [FILES]``: what checking costs, beside what reading the YAML costs.

All figures of one run are taken in turn, so their ratios hold on a busy machine too.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import process_time

import yaml

from benchmarks.corpus import pipeline, write
from benchmarks.measure import Measured, measure
from llm_gc.project import Library, PipelineReading
from llm_gc.source import read

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 3


def main() -> None:
    """Measure, and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), count)
        print_many(folder, count)
    print_steps()


def print_many(folder: str, count: int) -> None:
    """Print what one file and many files cost, as whole processes, and beside libyaml's loader alone."""
    llm_gc = [sys.executable, "-m", "llm_gc", "validate"]
    names = sorted(map(str, Path(folder).glob("*.yaml")))
    schema = ["--schemafile", str(ROOT / "schemas" / "pipeline.schema.json")]
    commands: dict[str, Sequence[str]] = {
        "one file": [*llm_gc, names[0]],
        f"{count} files": [*llm_gc, folder],
        f"{count} files, --jobs 2": [*llm_gc, "--jobs", "2", folder],
        f"{count} files, check-jsonschema": [sys.executable, "-m", "check_jsonschema", *schema, *names],
    }
    alone: list[float] = []
    measured: dict[str, list[Measured]] = {name: [] for name in commands}
    for _ in range(ROUNDS):
        alone.append(_load(names))
        for name, found in measure(commands, 1, _environ()).items():
            measured[name].append(found)
    loader = statistics.median(alone) * 1000
    print(f"\nvalidate, medians of {ROUNDS} runs\n")
    print(f"{'':36}{'CPU ms':>9}{'wall ms':>9}{'peak MB':>9}{'CPU / loader':>14}")
    print(f"{f'libyaml loads {count} files':36}{loader:9.0f}{'':18}{1:14.2f}")
    for name, samples in measured.items():
        cpu, wall, memory = (statistics.median(one.median(key) for one in samples) for key in ("cpu", "wall", "memory"))
        print(f"{name:36}{cpu:9.0f}{wall:9.0f}{memory:9.1f}" + (f"{cpu / loader:14.2f}" if name != "one file" else ""))


def print_steps() -> None:
    """Print how the cost of one pipeline grows with its steps."""
    print(f"\n{'steps':>8}{'CPU ms':>10}{'µs a step':>12}")
    for steps in (64, 128, 256, 512, 1024):
        text = pipeline(0, steps=steps)
        cpu = statistics.median(_checked(text) for _ in range(7))
        print(f"{steps:8}{cpu * 1e3:10.1f}{cpu * 1e6 / steps:12.0f}")


def _load(names: Sequence[str]) -> float:
    """Return the seconds that libyaml's loader needs for the texts of all files."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    texts = [Path(name).read_text(encoding="utf-8") for name in names]
    began = process_time()
    for text in texts:
        yaml.load(text, Loader=loader)
    return process_time() - began


def _checked(text: str) -> float:
    """Return the seconds that a check of a pipeline takes, its reading included."""
    began = process_time()
    library = Library()
    found = PipelineReading(library).examine(library.put(read(text, "case.yaml"), ROOT / "case.yaml")).findings
    taken = process_time() - began
    assert not found, found[0]
    return taken


def _environ() -> dict[str, str]:
    import os

    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPATH": paths}


if __name__ == "__main__":
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(ROOT / "llm_gc")], check=False)
    main()
