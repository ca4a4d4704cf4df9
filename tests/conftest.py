"""What holds for all tests."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    """Listen to Ctrl-C, as do the commands that the tests start: a shell ignores it for jobs in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
