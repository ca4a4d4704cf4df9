"""The folder of sessions: its only writer, how a session in it is found and read, and who may go on with it."""

from llm_gc.sessions.finding import find_session, session_files
from llm_gc.sessions.journal import Journal, reserve
from llm_gc.sessions.reading import Session, load_session, read_session, stamp
from llm_gc.sessions.taking import Taken, take

__all__ = [
    "Journal",
    "Session",
    "Taken",
    "find_session",
    "load_session",
    "read_session",
    "reserve",
    "session_files",
    "stamp",
    "take",
]
