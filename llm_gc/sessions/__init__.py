"""The folder of sessions: its only writer, how a session in it is found, listed and read, and who may continue it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llm_gc.sessions.journal import Journal, reserve
    from llm_gc.sessions.listing import ListedSession, find_session, listed, session_files
    from llm_gc.sessions.on_disk import has_begun
    from llm_gc.sessions.session_reader import LockedSession, Session, load_session, lock_session, read_session, stamp


_HOMES = {
    "Journal": "journal",
    "ListedSession": "listing",
    "LockedSession": "session_reader",
    "Session": "session_reader",
    "find_session": "listing",
    "has_begun": "on_disk",
    "listed": "listing",
    "load_session": "session_reader",
    "lock_session": "session_reader",
    "read_session": "session_reader",
    "reserve": "journal",
    "session_files": "listing",
    "stamp": "session_reader",
}

__all__ = [
    "Journal",
    "ListedSession",
    "LockedSession",
    "Session",
    "find_session",
    "has_begun",
    "listed",
    "load_session",
    "lock_session",
    "read_session",
    "reserve",
    "session_files",
    "stamp",
]


def __getattr__(name: str) -> Any:
    """Load what is asked for: what finds and lists sessions need not load what reads and writes them."""
    if name not in _HOMES:
        raise AttributeError(f"module 'llm_gc.sessions' has no attribute {name!r}")
    return getattr(import_module(f"llm_gc.sessions.{_HOMES[name]}"), name)
