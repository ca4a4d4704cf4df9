"""Whole processes measured by the operating system's own accounting, in turn, so that drift hits all of them alike."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Sample:
    """What one process used: CPU and wall time in milliseconds, peak memory in megabytes."""

    cpu: float
    wall: float
    memory: float


@dataclass(frozen=True)
class Measured:
    """The samples of one command."""

    samples: tuple[Sample, ...]

    def median(self, figure: str) -> float:
        """Return the median of a figure."""
        return float(statistics.median(getattr(sample, figure) for sample in self.samples))


def measure(commands: Mapping[str, Sequence[str]], rounds: int, environ: Mapping[str, str]) -> dict[str, Measured]:
    """Run all commands ``rounds`` times, one after the other in each round, after one round that does not count.

    Bytecode is kept, as it is wherever a package is installed: the round that does not count writes it.
    """
    environ = {name: value for name, value in environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    samples: dict[str, list[Sample]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, command in commands.items():
            sample = _run(command, environ)
            if number:
                samples[name].append(sample)
    return {name: Measured(tuple(found)) for name, found in samples.items()}


def _run(command: Sequence[str], environ: Mapping[str, str]) -> Sample:
    from time import perf_counter

    began = perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=dict(environ))
    assert process.stderr is not None
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stderr.close()
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}:\n{errors.decode()}")
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024  # bytes there, kilobytes elsewhere
    cpu = (usage.ru_utime + usage.ru_stime) * 1000
    return Sample(cpu, (perf_counter() - began) * 1000, usage.ru_maxrss / unit)
