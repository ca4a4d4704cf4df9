"""The folder of sessions: its only writer, and how a session in it is found and read."""

from llm_gc.sessions.finding import find_session, session_files
from llm_gc.sessions.journal import Journal, reserve
from llm_gc.sessions.reading import load_session, stamp

__all__ = ["Journal", "find_session", "load_session", "reserve", "session_files", "stamp"]
