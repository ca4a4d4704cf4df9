"""Sizes in words."""

from __future__ import annotations


def size(count: int) -> str:
    """Give bytes as people say them: ``986 MB``, ``4.7 GB``."""
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= unit:
            value = count / unit
            return f"{value:.1f} {name}" if value < 10 and unit == 10**9 else f"{value:.0f} {name}"
    return f"{count} bytes"


def share(part: int, whole: int) -> str:
    """Give a part in percent, neither 0 nor 100 unless it is."""
    percent = round(100 * part / whole) if whole else 0
    return f"{min(max(percent, 1), 99) if 0 < part < whole else percent} %"
