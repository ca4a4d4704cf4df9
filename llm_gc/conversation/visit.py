"""What a walk tells of itself, to whoever measures what was come to: it changes nothing."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from llm_gc.protocol import Path

VisitKind = Literal["step", "when", "until", "spoke", "stop", "ended"]


class Visit(NamedTuple):
    """Something that a walk has come to. ``path`` is where it stands; a scene that plays a file goes on below its own.

    ``value`` is, for ``when`` and ``until``, what they gave; for ``spoke``, the role whose turn it was, also where a
    choice gave it; for ``ended``, why a scene ended.
    """

    kind: VisitKind
    path: Path
    value: Any = None
