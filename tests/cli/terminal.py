"""A pseudo-terminal around a command, for what is only shown there, and for what is typed there."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Sequence
from pathlib import Path

PATIENCE = 30.0
"""Seconds until something that was waited for will not be shown any more."""

ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07|[=>78])")
CURSOR_ASKED, CURSOR_TOLD = b"\x1b[6n", b"\x1b[%d;1R"


class Terminal:
    """Runs a command in a terminal of so many columns, and gives what it showed."""

    def __init__(
        self, words: Sequence[str], folder: Path, environ: dict[str, str], *, columns: int = 100, lines: int = 40
    ) -> None:
        """Start it."""
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        environ = {"TERM": "xterm-256color", **environ}
        environ = {key: value for key, value in environ.items() if key not in ("COLUMNS", "LINES", "NO_COLOR")}
        self.process = subprocess.Popen(words, cwd=folder, env=environ, stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)
        self.code: int | None = None
        self._data, self._seen, self._lines = b"", 0, lines

    @property
    def plain(self) -> str:
        """All that it has shown so far, without the escape sequences that are whole."""
        return ESCAPES.sub("", self._data.decode("utf-8", "replace")).replace("\r\n", "\n")

    def wait_for(self, text: str) -> None:
        """Wait until ``text`` is shown, after what was waited for before."""
        end = time.monotonic() + PATIENCE
        while (found := self.plain.find(text, self._seen)) < 0:
            if not self._piece(end):
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"{text!r} was never shown, but:\n{self.plain[self._seen :]}")
        self._seen = found + len(text)

    def answer(self, prompt: str, keys: str) -> None:
        """Wait for a prompt, and type ``keys``: from then on they are read as keys."""
        self.wait_for(prompt)
        os.write(self._master, keys.encode())

    def read(self) -> str:
        """Wait for its end, and return all that it showed, line ends as one character."""
        while self._piece(time.monotonic() + PATIENCE):
            pass
        os.close(self._master)
        self.code = self.process.wait(60)
        return self._data.decode("utf-8", "replace").replace("\r\n", "\n")

    def _piece(self, end: float) -> bool:
        """Take what is shown next; false at the end, and where nothing comes until ``end``."""
        ready, _, _ = select.select([self._master], [], [], max(end - time.monotonic(), 0))
        piece = b""
        with contextlib.suppress(OSError):  # how Linux says that the other side has closed
            piece = os.read(self._master, 65536) if ready else b""
        for _ in range(piece.count(CURSOR_ASKED)):
            os.write(self._master, CURSOR_TOLD % self._lines)
        self._data += piece
        return bool(piece)
