"""What this machine has for a model: memory that is free, and processors; None or a guess where it does not tell."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
MEMINFO = Path("/proc/meminfo")
PROCESSORS = Path("/sys/devices/system/cpu")


def free_memory(meminfo: Path = MEMINFO, cgroup: Path = CGROUP) -> int | None:
    """Return the bytes that a model may take: those that are free, in a container no more than its share."""
    found = [size for size in (_available(meminfo), _left_in_container(cgroup)) if size is not None]
    return min(found, default=None)


def _available(meminfo: Path) -> int | None:
    with suppress(OSError, ValueError):
        for line in meminfo.read_text(encoding="ascii").splitlines():
            name, _, value = line.partition(":")
            if name == "MemAvailable":
                return int(value.split()[0]) * 1024
    if sys.platform == "win32":
        return _available_on_windows()
    with suppress(OSError, ValueError, AttributeError):  # all that there is: what others use of it nobody says
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return None


def _available_on_windows() -> int | None:
    import ctypes

    class Status(ctypes.Structure):
        """MEMORYSTATUSEX of Windows."""

        _fields_ = (
            ("length", ctypes.c_ulong), ("load", ctypes.c_ulong),
            *((name, ctypes.c_ulonglong) for name in ("total", "free", "pages", "left", "virtual", "more", "extra")),
        )  # fmt: skip

    status = Status()
    status.length = ctypes.sizeof(status)
    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009  # the attribute is there on Windows alone
    return int(status.free) if kernel.GlobalMemoryStatusEx(ctypes.byref(status)) else None


def _left_in_container(cgroup: Path) -> int | None:
    with suppress(OSError, ValueError):  # "max", where there is no limit, is no number
        most = int((cgroup / "memory.max").read_text(encoding="ascii"))
        used = int((cgroup / "memory.current").read_text(encoding="ascii"))
        return max(0, most - used + _kept_files(cgroup))
    return None


def _kept_files(cgroup: Path) -> int:
    """Return the bytes of files that are kept in memory only as long as nobody needs it."""
    with suppress(OSError, ValueError):
        for line in (cgroup / "memory.stat").read_text(encoding="ascii").splitlines():
            name, _, value = line.partition(" ")
            if name == "inactive_file":
                return int(value)
    return 0


def cores(processors: Path = PROCESSORS, cgroup: Path = CGROUP) -> int:
    """Return the number of physical cores that this process may use, in a container no more than its share."""
    mine = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    found = len(_siblings(processors, mine)) or len(mine)
    with suppress(OSError, ValueError):
        share, period = (cgroup / "cpu.max").read_text(encoding="ascii").split()
        found = min(found, max(1, int(share) // int(period)))
    return found


def _siblings(processors: Path, numbers: Iterable[int]) -> set[str]:
    """Return the groups of processors that share a core, those of the given numbers."""
    with suppress(OSError):
        places = (processors / f"cpu{number}" / "topology" / "thread_siblings_list" for number in numbers)
        return {place.read_text(encoding="ascii").strip() for place in places}
    return set()
