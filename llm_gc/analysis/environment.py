"""What is known at one place of a pipeline: which names are set, who has spoken; ways that part and meet again.

A way that may not be gone is continued the same dictionaries and rewound: what it changed comes back as a small
dictionary, so that a walk costs as much as there are steps, however many names there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from llm_gc.analysis.value_types import Value, union


class EnvironmentEntry(NamedTuple):
    """What a name holds, whether every way here has set it, and the ``when`` under which it was set, if any."""

    value: Value
    certain: bool = True
    under: str = ""


class EnvironmentKey(NamedTuple):
    """A name, or (in the history of a scene) ``last`` or the role of ``said.ROLE``."""

    name: str
    is_history: bool = False


LAST = EnvironmentKey("last", is_history=True)

Changes = dict[EnvironmentKey, EnvironmentEntry]


class Environment:
    """The names that are set, and the history of the scene; both can be rewound."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._names: dict[EnvironmentKey, EnvironmentEntry] = {}
        self._history: dict[EnvironmentKey, EnvironmentEntry] = {}
        self._log: list[tuple[dict[EnvironmentKey, EnvironmentEntry], EnvironmentKey, EnvironmentEntry | None]] = []

    def get(self, key: EnvironmentKey) -> EnvironmentEntry | None:
        """Return what is known of a name; None where no way here has set it."""
        return (self._history if key.is_history else self._names).get(key)

    def set(self, key: EnvironmentKey, entry: EnvironmentEntry) -> None:
        """Set a name."""
        entries = self._history if key.is_history else self._names
        self._log.append((entries, key, entries.get(key)))
        entries[key] = entry

    def mark(self) -> int:
        """Return the place to rewind to."""
        return len(self._log)

    def rewind(self, mark: int) -> Changes:
        """Undo everything since a mark; return what it came to."""
        changes: Changes = {}
        for entries, key, before in reversed(self._log[mark:]):
            changes.setdefault(key, entries[key])
            if before is None:
                del entries[key]
            else:
                entries[key] = before
        del self._log[mark:]
        return changes

    def meet(self, ways: Sequence[Changes], under: str = "") -> None:
        """Go on where one of these ways was gone."""
        for key in dict.fromkeys(key for changes in ways for key in changes):
            before = self.get(key)
            found = [changes.get(key, before) for changes in ways]
            entries = [entry for entry in found if entry is not None]
            certain = len(entries) == len(found) and all(entry.certain for entry in entries)
            was_set = before is not None and before.certain
            self.set(
                key, EnvironmentEntry(union(e.value for e in entries), certain, "" if certain or was_set else under)
            )

    def enter(self) -> dict[EnvironmentKey, EnvironmentEntry]:
        """Begin a scene, in which nobody has said anything; return the history to come back to."""
        outside, self._history = self._history, {}
        return outside

    def leave(self, outside: dict[EnvironmentKey, EnvironmentEntry]) -> None:
        """Come back from a scene."""
        self._history = outside
