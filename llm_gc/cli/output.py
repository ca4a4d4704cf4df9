"""The only module that prints: both streams, every command and every format go through ``out`` and ``err``.

Whoever prints says what a text is: a ``line`` (whatever it holds, it is one line), a ``text`` with lines of its own,
``escaped`` text such as JSON, or a whole ``document``. No text can then steer the terminal, reorder what is read, begin
a line of its own, or be a command for the log of a GitHub workflow. What other libraries print is held to the same by
``guard``. A stream that cannot be written never raises an ``OSError``: standard error falls silent, and a lost standard
output ends the command, unless it ``goes_on``.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import stat
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

import click

from llm_gc.values.safe_text import clean, clean_json, one_line, rows

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress


Piece = str | tuple[str, str]
"""A part of a line: a text, or a text and its style, such as ``bold cyan``."""

_CODES = {"bold": 1, "dim": 2, "italic": 3, "red": 31, "green": 32, "yellow": 33, "magenta": 35, "cyan": 36}
_FIRST_COLOUR = 30
NARROWEST: Final = 40
"""Lines are broken for no terminal narrower than this."""

_COMMAND = re.compile(r"^([^\S\n]*)::", re.MULTILINE)
_OLD_COMMAND = "##["


_UNGUARDED: Final = object()


class OutputLost(BaseException):
    """Standard output cannot be written, so that the command has nothing more to do.

    It is no ``Exception``, so that nobody takes it for a fault of what was being printed and continues the next.
    """


class Stream:
    """Standard output or standard error."""

    def __init__(self, name: str) -> None:
        """Print to ``sys.stdout`` or ``sys.stderr``, whichever is called ``name``."""
        self._name = name
        self.release()

    def release(self) -> None:
        """Print to whatever ``sys`` has, and forget what was lost."""
        self._below: Any = _UNGUARDED
        self.lost: OSError | None = None
        self._goes_on, self._and_so = self._name == "stderr", ""

    def keep_going(self, and_so: str) -> None:
        """Continue the command where this is lost, since it does more than print; ``and_so`` is part of the warning."""
        self._goes_on, self._and_so = True, and_so

    def keep(self, below: Any) -> None:
        """Print to a file, whatever becomes of ``sys.stdout`` and ``sys.stderr``."""
        self._below = below

    @property
    def file(self) -> Any:
        """The stream itself, below its guard; ``None`` where the process was started without one."""
        return getattr(sys, self._name) if self._below is _UNGUARDED else self._below

    @property
    def is_terminal(self) -> bool:
        """Whether a person looks at it."""
        with contextlib.suppress(OSError, ValueError):  # ValueError: it was closed
            return self.file is not None and bool(self.file.isatty())
        return False

    @property
    def is_live(self) -> bool:
        """Whether styles and moving lines can be shown."""
        return self.is_terminal and os.environ.get("TERM") != "dumb"

    @property
    def width(self) -> int:
        """The columns of the terminal."""
        from shutil import get_terminal_size

        with contextlib.suppress(OSError, ValueError, AttributeError):
            if "COLUMNS" not in os.environ and (columns := os.get_terminal_size(self.file.fileno()).columns):
                return columns
        return get_terminal_size().columns

    def line(self, *pieces: Piece, fit: bool = True) -> None:
        """Print one line; in a terminal it is broken between words, unless it is not to ``fit``."""
        pairs = [(piece, "") if isinstance(piece, str) else piece for piece in pieces]
        styled = [(one_line(text), style) for text, style in pairs]
        text = "".join(piece for piece, _ in styled)
        broken = rows(text, max(self.width, NARROWEST)) if fit and self.is_terminal else [(0, len(text))]
        hanging = " " * (len(text) - len(text.lstrip(" ")) + 2)
        shown = (self._styled(styled, *row) for row in broken)
        self._write(_without_commands(f"\n{hanging}".join(shown) + "\n"))

    def lines(self, name: str, text: str) -> None:
        """Print a text, with the name of who says it at the beginning of each of its lines."""
        for line in clean(text).strip("\n").split("\n"):
            self._write(_without_commands(f"{one_line(name)}: {line}".rstrip() + "\n"))

    def text(self, text: str, style: str = "", *, end: str = "\n") -> None:
        """Print a text that may have several lines; it ends with ``end``."""
        lines = clean(text).split("\n")
        shown = "\n".join(self._styled([(line, style)], 0, len(line)) if line else "" for line in lines)
        whole = shown + ("" if end and shown.endswith(end) else end)
        self._write(_without_commands(whole) if self._is_log else whole)

    def escaped(self, text: str, *, end: str = "\n") -> None:
        """Print JSON, or YAML of which all texts are in double quotes: it stays valid, and means the same."""
        text = clean_json(text)
        if self._is_log:
            text = text.replace(_OLD_COMMAND, "\\u0023#[")
        try:
            text.encode(getattr(self.file, "encoding", None) or "utf-8")
        except UnicodeEncodeError:
            import json

            text = "".join(one if one.isascii() else json.dumps(one)[1:-1] for one in text)
        self._write(text + ("" if end and text.endswith(end) else end))

    def commands(self, commands: Iterable[str]) -> None:
        """Print commands for a GitHub workflow, one a line: the only lines that may begin like one."""
        for command in commands:
            self._write(one_line(command) + "\n")

    def document(self, pieces: Iterable[str]) -> None:
        """Print what else would be a file: in UTF-8, as it would be there."""
        for piece in pieces:
            text = _without_commands(clean(piece)) if self._is_log else clean(piece)
            self._write(text, buffer=getattr(self.file, "buffer", None))

    def status(self, text: str) -> None:
        """Show in a terminal how far something is, in the place of the status before; an empty one clears it."""
        if self.is_live:
            self._write(f"\r\x1b[K{one_line(text)}")

    def spinner(self, text: str) -> Progress:
        """Start to show in a terminal that something continues, with the time since."""
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (SpinnerColumn(), TimeElapsedColumn(), TextColumn("{task.description}", style="dim", markup=False))
        spinner = Progress(
            *columns, console=self._console(), transient=True, redirect_stdout=False, redirect_stderr=False
        )
        spinner.add_task(one_line(text), total=None)
        spinner.start()
        return spinner

    @contextlib.contextmanager
    def bars(self) -> Iterator[Bars]:
        """Show bars in a terminal."""
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )  # fmt: skip

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[status]}", markup=False),
        )
        with Progress(*columns, console=self._console(), redirect_stdout=False, redirect_stderr=False) as progress:
            yield Bars(progress)

    def _console(self) -> Console:
        from rich.console import Console

        return Console(file=self.passage(), highlight=False, markup=False, emoji=False)

    def passage(self) -> Any:
        """Return a file for a library that draws in the terminal: what it is given to show must be clean."""
        return _Passage(self)

    def end(self) -> None:
        """Ask a device that takes everything, or nothing, whether it took what was printed."""
        with contextlib.suppress(AttributeError, ValueError):
            descriptor = self.file.fileno()
            try:
                if stat.S_ISCHR(os.fstat(descriptor).st_mode):
                    os.write(descriptor, b"")
            except OSError as error:
                self._lose(error)

    @property
    def _is_log(self) -> bool:
        """Whether a GitHub workflow reads it: whoever redirects it to a file has it as it is."""
        if os.environ.get("GITHUB_ACTIONS") != "true":
            return False
        with contextlib.suppress(OSError, ValueError, AttributeError):
            return not stat.S_ISREG(os.fstat(self.file.fileno()).st_mode)
        return True

    def _styled(self, pieces: Iterable[tuple[str, str]], begin: int, end: int) -> str:
        """Return what is between two places of a line, with its styles where they can be shown."""
        shown, place = "", 0
        for text, style in pieces:
            part = text[max(begin - place, 0) : max(end - place, 0)]
            place += len(text)
            codes = _codes(style) if part and self.is_live else ""
            shown += f"\x1b[{codes}m{part}\x1b[0m" if codes else part
        return shown

    def _write(self, text: str, buffer: Any = None) -> None:
        file = self.file
        if self.lost is not None:
            return
        try:
            if file is None:
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))
            if buffer is not None:
                buffer.write(text.encode("utf-8", "replace"))
                buffer.flush()
            else:
                click.echo(text, file=file, nl=False, color=True)  # styles are there only where they can be shown
        except OSError as error:
            self._lose(error)

    def _lose(self, error: OSError) -> None:
        """Write nothing more; what is left in buffers goes where it harms nobody when the process ends."""
        if self.lost is not None:
            return
        self.lost = error
        with contextlib.suppress(OSError, ValueError, AttributeError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self.file.fileno())
            os.close(null)
        if not self._goes_on:
            raise OutputLost from error
        if self._and_so:
            err.line(f"warning: {why_lost(error)}; {self._and_so}")


class Bars:
    """A bar for each of several things."""

    def __init__(self, progress: Progress) -> None:
        """Show them by ``progress``."""
        self._progress = progress
        self._tasks: dict[tuple[str, str], Any] = {}

    def show(self, name: str, part: str, *, status: str, total: int | None, done: int) -> None:
        """Show how much is done of a part of what is called ``name``."""
        key = (name, part)
        if key not in self._tasks:
            self._tasks[key] = self._progress.add_task(one_line(name), total=total if part else None, status="")
        self._progress.update(self._tasks[key], status=one_line(status), total=total, completed=done)


class _Passage(io.TextIOBase):
    """A file that writes to a stream, and never fails."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return getattr(self._stream.file, "encoding", None) or "utf-8"

    def isatty(self) -> bool:
        return self._stream.is_terminal

    def fileno(self) -> int:
        return int(self._stream.file.fileno())

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError("only text can be printed")
        self._stream._write(text)  # noqa: SLF001  # a part of it
        return len(text)


class _Guard(_Passage):
    """What ``sys.stdout`` and ``sys.stderr`` are while a command runs: what any library prints is made safe."""

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError("only text can be printed")
        return super().write(_without_commands(clean(text)))

    @property
    def buffer(self) -> _Bytes:
        """What takes bytes, and passes them on as text."""
        return _Bytes(self)


class _Bytes(io.RawIOBase):
    """The lower layer of a guard, for what is printed as bytes."""

    def __init__(self, guard: _Guard) -> None:
        self._guard = guard

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._guard.write(bytes(data).decode("utf-8", "replace"))
        return len(data)


def why_lost(error: OSError) -> str:
    """Return why standard output cannot be written."""
    if error.errno == errno.EPIPE:
        return "standard output is closed"
    if error.errno == errno.EBADF:
        return "standard output is closed"
    return f"standard output cannot be written: {(error.strerror or str(error)).lower()}"


def guard() -> None:
    """Make everything that is printed in this process safe, whichever code prints it."""
    for name, stream in (("stdout", out), ("stderr", err)):
        below = stream.file
        if hasattr(below, "reconfigure"):
            below.reconfigure(errors="replace")  # a terminal that lacks a character shows a mark in its place
        stream.keep(below)
        setattr(sys, name, _Guard(stream))


def _without_commands(text: str) -> str:
    """Take from lines what would make them commands for a workflow that shows them in its log."""
    if "::" in text:
        text = _COMMAND.sub("\\1\N{PROPORTION}", text)
    return text.replace(_OLD_COMMAND, "## [") if os.environ.get("GITHUB_ACTIONS") == "true" else text


def _codes(style: str) -> str:
    known = (_CODES[word] for word in style.split() if word in _CODES)
    return ";".join(str(code) for code in known if code < _FIRST_COLOUR or not os.environ.get("NO_COLOR"))


out: Final = Stream("stdout")
err: Final = Stream("stderr")
