"""Opens files for reading: what a pipeline names beneath its project's root alone, what a user names anywhere.

Everything that is read on the word of a pipeline is opened here. The way to it is walked one folder after another from
the project's root, each opened by its name in the one before (``openat``), and never through a link: a link is read,
and where it leads to is walked in the same way, so it may lead anywhere within the root and nowhere else. A file is
looked at once more when it is open, so nothing is gained by one that changes in between. Where the system cannot open
a file in an open folder (Windows), resolved paths are compared instead.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT_MARKS = (".git", "pyproject.toml")

MAX_LINKS = 40
"""So many links are followed on the way to one file."""

MAX_VISITED = 20_000
"""So many entries of folders are looked at for one list of names."""

_CAN_WALK = {os.open, os.stat, os.readlink} <= os.supports_dir_fd
# without O_NONBLOCK, the call that opens a named pipe waits for somebody who writes to it
_FILE = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0)  # O_PATH: it need not be listed
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)

_KINDS = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket"}


class LeadsOut(ValueError):
    """What is named lies outside of what may be read; ``by_link`` where the name itself does not show it."""

    def __init__(self, *, by_link: bool) -> None:
        """Keep whether a link is to blame."""
        super().__init__("is a link that leads out of" if by_link else "leads out of")


class NotAFile(ValueError):
    """What is named is something else than a file; the text says what: ``a folder``, ``a named pipe``."""


class FoundFile(NamedTuple):
    """A file that was read: its real path, and its content, which is cut one byte behind what was asked for."""

    path: Path
    content: bytes


def project_root(folder: Path) -> Path:
    """Return the root of the project that a real folder is in: nothing outside is read on the word of a pipeline.

    It is the nearest folder upwards with ``.git`` or ``pyproject.toml``; without one, the nearest with ``prompts``;
    without that, the folder itself. The working directory does not count: a pipeline that was downloaded must not see
    the home folder from which it happens to be run.
    """
    upwards = (folder, *folder.parents)
    return marked_root(folder) or next((one for one in upwards if is_folder(one / "prompts")), folder)


def tests_root(folder: Path) -> Path:
    """Return the folder beyond which nothing is read on the word of a test file in a real folder.

    It is the root of the project. Without a marked one it is the working directory where that holds the folder, though
    never one that holds the home folder: what a test reads is sent to nobody.
    """
    here = Path.cwd()
    if marked_root(folder) is None and folder.is_relative_to(here) and not _home().is_relative_to(here):
        return here
    return project_root(folder)


def marked_root(folder: Path) -> Path | None:
    """Return the nearest folder upwards that is marked as the root of a project, or ``None``."""
    upwards = (folder, *folder.parents)
    return next((one for one in upwards if any(_exists(one / mark) for mark in ROOT_MARKS)), None)


def is_folder(path: Path) -> bool:
    """Check whether a path leads to a folder; where nobody may look, there is none."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def is_file(path: Path) -> bool:
    """Check whether a path leads to a file; where nobody may look, there is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def read_beneath(root: Path, start: Path, name: str, most: int, *, bound: Path | None = None) -> FoundFile:
    """Read a file by its name as seen from the folder ``start``; both that and ``root`` are real paths.

    The name may not lead out of ``bound``, which is the root where it is absent.

    Raises:
        LeadsOut: where it does.
        NotAFile: where it is something else than a file.
        OSError: where there is none, or it cannot be read.

    """
    with _opened(root, start, name, bound or root) as (descriptor, path):
        return FoundFile(path, _content(descriptor, most))


def locate(root: Path, start: Path, name: str) -> Path:
    """Return the real path of a file or folder by its name as seen from ``start``, which may not lead out of ``root``.

    Raises:
        LeadsOut: where it does.
        NotAFile: where it is neither a file nor a folder.
        OSError: where there is nothing, or it cannot be opened.

    """
    with _opened(root, start, name, root) as (_, path):
        return path


def open_file(path: Path, flags: int = 0) -> int:
    """Open a file that was not named for what it is, such as one found in a folder, and return its descriptor.

    Links are followed. Nothing is waited for: a named pipe is refused.

    Raises:
        NotAFile: where it is something else than a file.
        OSError: where it cannot be opened.

    """
    descriptor = os.open(path, _FILE | flags)
    try:
        _check_kind(os.fstat(descriptor))
    except NotAFile:
        os.close(descriptor)
        raise
    return descriptor


def read_file(path: Path, most: int = -1) -> bytes:
    """Read a file as ``open_file`` opens it: all of it, or one byte more than ``most``.

    Raises:
        NotAFile: where it is something else than a file.
        OSError: where it cannot be read.

    """
    with os.fdopen(open_file(path), "rb", buffering=0) as opened:
        return _content(opened.fileno(), most) if most >= 0 else opened.readall()


def read_named(path: Path, most: int) -> bytes:
    """Read what the user has named, whatever it is and wherever; a pipe is waited for.

    Raises:
        OSError: where it cannot be read.

    """
    with path.open("rb") as opened:
        return opened.read(most + 1)  # what has no size of its own has an end here too


def names_beneath(folder: Path, suffixes: tuple[str, ...], most: int) -> list[str]:
    """Return the names of the files with these suffixes beneath a real folder; links to folders are not followed."""
    found: list[str] = []
    visited = 0
    for at, folders, names in os.walk(folder):
        visited += len(folders) + len(names)
        found += (Path(at, name).relative_to(folder).as_posix() for name in names if name.endswith(suffixes))
        if visited > MAX_VISITED or len(found) > most:
            break
    return sorted(found)[:most]


def link_out(folder: Path) -> Path | None:
    """Return where a folder really is if a link leads there out of the project that it seems to be in, else ``None``.

    All files in a folder are read when it is named, so it has to be the one that it seems to be. A link to a folder
    that holds the link is refused without a project, too: it would be the whole disk, or go round in a circle.
    """
    seen = Path(os.path.abspath(folder))  # noqa: PTH100  # not resolved: links are what is looked for
    real, home = seen.resolve(), seen.parent.resolve()
    root = marked_root(seen.parent)
    is_inside = root is None or real.is_relative_to(root.resolve())
    is_around = seen.is_symlink() and home.is_relative_to(real)
    return None if is_inside and not is_around else real


@contextlib.contextmanager
def _opened(root: Path, start: Path, name: str, bound: Path) -> Iterator[tuple[int, Path]]:
    """Open a file or folder for as long as the context lasts, and return its real path too."""
    _check_name(name)
    if not _CAN_WALK:  # pragma: no cover
        path = (start / name).resolve(strict=True)
        if not start.is_relative_to(root) or not path.is_relative_to(bound):
            raise LeadsOut(by_link=".." not in Path(name).parts and not Path(name).is_absolute())
        if path.is_dir():
            yield -1, path
            return
        with os.fdopen(open_file(path), "rb") as opened:
            yield opened.fileno(), path
        return
    walk = _PathWalk(root, bound)
    try:
        walk.enter_all(start)
        yield walk.go(name), walk.path
    finally:
        walk.close()


def _check_name(name: str) -> None:
    """Raise the error of a file that is not there for a name that no file can have."""
    try:
        encoded = os.fsencode(name)
    except UnicodeEncodeError:
        encoded = b"\0"
    if b"\0" in encoded or not name:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)


class _PathWalk:
    """A way down from a root: every folder on it is open, and closed when the way leads back out of it."""

    def __init__(self, root: Path, bound: Path) -> None:
        """Begin at ``root``; from the first name on, nothing leads out of ``bound``."""
        self._root, self._bound = root, bound
        self._floor = len(bound.relative_to(root).parts)
        self._names: list[str] = []
        self._links = 0
        self._open = [os.open(root, _FOLDER | _NO_LINK)]

    @property
    def path(self) -> Path:
        """The real path so far."""
        return self._root.joinpath(*self._names)

    def enter_all(self, folder: Path) -> None:
        """Enter a real folder beneath the root; a link on the way was put there since."""
        if not folder.is_relative_to(self._root):
            raise LeadsOut(by_link=True)
        for part in folder.relative_to(self._root).parts:
            self._enter(part)

    def go(self, name: str) -> int:
        """Walk to what is named, open it, and return its descriptor."""
        rest = self._parts(name)
        while rest:
            part = rest.pop()
            if part == "..":
                self._leave()
                continue
            mode = os.stat(part, dir_fd=self._open[-1], follow_symlinks=False).st_mode
            if stat.S_ISLNK(mode):
                self._links += 1
                if self._links > MAX_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name)
                rest += self._parts(os.readlink(part, dir_fd=self._open[-1]))
            elif stat.S_ISDIR(mode):
                self._enter(part)
            elif rest:
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), name)
            else:
                self._enter_file(part)
        return self._open[-1]

    def close(self) -> None:
        """Close all that is open."""
        while self._open:
            os.close(self._open.pop())

    def _parts(self, path: str) -> list[str]:
        """Return the parts of a path, the last one first; an absolute one is taken from the bound."""
        if path.startswith("/"):
            real = Path(path).resolve()  # no more than a hint: it is walked like every other
            if not real.is_relative_to(self._bound):
                raise LeadsOut(by_link=self._links > 0)
            path = str(real.relative_to(self._bound))
            while len(self._names) > self._floor:
                self._leave()
        return [part for part in reversed(path.split("/")) if part not in ("", ".")]

    def _enter(self, part: str) -> None:
        self._open.append(os.open(part, _FOLDER | _NO_LINK, dir_fd=self._open[-1]))
        self._names.append(part)

    def _enter_file(self, part: str) -> None:
        _check_kind(os.stat(part, dir_fd=self._open[-1], follow_symlinks=False))  # to open some devices has effects
        self._open.append(os.open(part, _FILE | _NO_LINK, dir_fd=self._open[-1]))
        self._names.append(part)
        about = os.fstat(self._open[-1])
        _check_kind(about)
        if about.st_dev in _system_devices():
            raise NotAFile("a file of the system's own")

    def _leave(self) -> None:
        if len(self._names) <= self._floor:
            raise LeadsOut(by_link=self._links > 0)
        os.close(self._open.pop())
        self._names.pop()


def _check_kind(about: os.stat_result) -> None:
    if not stat.S_ISREG(about.st_mode):
        raise NotAFile(_KINDS.get(stat.S_IFMT(about.st_mode), "a device"))


@cache
def _system_devices() -> frozenset[int]:
    """Return the file systems that hold no files of anybody's, such as ``/proc``: a root may lie above them."""
    found = set[int]()
    for folder in ("/proc", "/sys", "/dev"):
        with contextlib.suppress(OSError):
            found.add(os.stat(folder).st_dev)  # noqa: PTH116
    with contextlib.suppress(OSError):
        found.discard(os.stat("/").st_dev)  # noqa: PTH116
    return frozenset(found)


def _content(descriptor: int, most: int) -> bytes:
    """Read one byte more than ``most`` from an open file, or all of it where it is shorter."""
    _check_kind(os.fstat(descriptor))
    pieces, left = [], most + 1
    while left and (piece := os.read(descriptor, left)):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def _home() -> Path:
    """Return the user's home folder; the root of all folders where nobody knows it, which every folder is in."""
    try:
        return Path.home().resolve()
    except (OSError, RuntimeError):
        return Path("/")


def _exists(path: Path) -> bool:
    """Check whether a path leads to something; where nobody may look, there is nothing."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
