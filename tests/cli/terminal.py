"""A pseudo-terminal around a command, for what is only shown there."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import struct
import subprocess
import termios
from collections.abc import Sequence
from pathlib import Path


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

    def read(self) -> str:
        """Wait for its end, and give all that it showed, line ends as one character."""
        data = b""
        with contextlib.suppress(OSError):  # how Linux says that the other side has closed
            while piece := os.read(self._master, 65536):
                data += piece
        os.close(self._master)
        self.code = self.process.wait(20)
        return data.decode("utf-8", "replace").replace("\r\n", "\n")
