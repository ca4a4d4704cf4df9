"""The name that was meant, where one is near."""

from __future__ import annotations

from collections.abc import Iterable


def near(word: str, known: Iterable[str]) -> str:
    """Ask whether a near name was meant; empty where none is near."""
    found = nearest(word, known)
    return f"Did you mean {found!r}?" if found else ""


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known name that is nearest to a word; empty where none is near."""
    import difflib  # only mistakes pay for its import

    folded = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.lower(), folded, n=1, cutoff=0.6)
    return folded[found[0]] if found else ""
