"""One at a time: whoever writes to a session holds a lock on its file, which the system takes back when it dies."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

if sys.platform == "win32":  # pragma: no cover
    import msvcrt

    FAR = 2**40
    """A lock there is on bytes: on one that no journal is long enough to have, so that everybody may read."""

    def lock(descriptor: int, *, wait: bool = False) -> bool:
        """Take the lock of an open file; tell whether it could be had. A file has one lock for all processes."""
        here = os.lseek(descriptor, 0, os.SEEK_CUR)
        os.lseek(descriptor, FAR, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(descriptor, here, os.SEEK_SET)
        return True

else:
    import fcntl

    def lock(descriptor: int, *, wait: bool = False) -> bool:
        """Take the lock of an open file; tell whether it could be had. It goes when the file is closed.

        Where a file system knows no locks, there is nothing to hold and nobody to be told.
        """
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True


def is_gone(descriptor: int, path: Path) -> bool:
    """Check whether an open file has lost its name, or another one has it; where that is not known it has not."""
    try:
        return not os.path.samestat(os.fstat(descriptor), path.stat(follow_symlinks=False))
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False


def is_same(descriptor: int, path: Path) -> bool:
    """Tell whether an open file is still the one of that name."""
    with contextlib.suppress(OSError):
        return os.path.samestat(os.fstat(descriptor), path.stat())
    return False
