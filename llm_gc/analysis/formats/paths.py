"""The place of a file as a code hosting service knows it: seen from the root of the repository."""

from __future__ import annotations

import os
from pathlib import Path


def from_root(file: str) -> str:
    """Return a file's path from the root of the git repository around the working directory, with ``/`` between.

    Outside a repository, and for a file outside of it, the path is returned as it is.
    """
    here = Path.cwd()
    root = next((folder for folder in (here, *here.parents) if (folder / ".git").exists()), None)
    path = Path(os.path.normpath(here / file))
    if root is None or not path.is_relative_to(root) or not path.exists():
        return file
    return path.relative_to(root).as_posix()
