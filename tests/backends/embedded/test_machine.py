"""What a machine tells of its memory and its cores."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from llm_gc.backends.embedded import machine


def test_free_memory_is_what_is_available(tmp_path: Path) -> None:
    """In a container it is what is left of its share, where that is less."""
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 9 kB\nMemAvailable:    2000 kB\n", encoding="ascii")
    assert machine.free_memory(meminfo, tmp_path) == 2000 * 1024
    (tmp_path / "memory.max").write_text("max\n", encoding="ascii")
    assert machine.free_memory(meminfo, tmp_path) == 2000 * 1024
    (tmp_path / "memory.max").write_text("900000\n", encoding="ascii")
    (tmp_path / "memory.current").write_text("400000\n", encoding="ascii")
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 100000\n", encoding="ascii")
    assert machine.free_memory(meminfo, tmp_path) == 600_000


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system does not tell which processors are ours")
def test_cores_are_physical_and_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two threads of one core count once; a container's share bounds them."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3})
    for number in range(4):
        folder = tmp_path / f"cpu{number}" / "topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"{number % 2},{number % 2 + 2}\n", encoding="ascii")
    assert machine.cores(tmp_path, tmp_path) == 2
    (tmp_path / "cpu.max").write_text("150000 100000\n", encoding="ascii")
    assert machine.cores(tmp_path, tmp_path) == 1
    assert machine.cores(tmp_path / "nowhere", tmp_path / "nowhere") == 4
