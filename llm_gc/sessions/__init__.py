"""The folder of sessions: its only writer, how a session in it is found, listed and read, and who may go on with it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llm_gc.sessions.finding import find_session, session_files
    from llm_gc.sessions.journal import Journal, reserve
    from llm_gc.sessions.listing import Listed, listed
    from llm_gc.sessions.parsing import has_begun
    from llm_gc.sessions.reading import Session, load_session, read_session, stamp
    from llm_gc.sessions.taking import Taken, take

_HOMES = {
    "Journal": "journal",
    "Listed": "listing",
    "Session": "reading",
    "Taken": "taking",
    "find_session": "finding",
    "has_begun": "parsing",
    "listed": "listing",
    "load_session": "reading",
    "read_session": "reading",
    "reserve": "journal",
    "session_files": "finding",
    "stamp": "reading",
    "take": "taking",
}

__all__ = [
    "Journal",
    "Listed",
    "Session",
    "Taken",
    "find_session",
    "has_begun",
    "listed",
    "load_session",
    "read_session",
    "reserve",
    "session_files",
    "stamp",
    "take",
]


def __getattr__(name: str) -> Any:
    """Load what is asked for: what finds and lists sessions need not load what reads and writes them."""
    if name not in _HOMES:
        raise AttributeError(f"module 'llm_gc.sessions' has no attribute {name!r}")
    return getattr(import_module(f"llm_gc.sessions.{_HOMES[name]}"), name)
