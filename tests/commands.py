"""The command line run as a user runs it: its own process, its own folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
M1 = str(ROOT / "pipelines" / "m1.yaml")


@dataclass(frozen=True)
class Result:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str


def environ(**more: str) -> dict[str, str]:
    """Return an environment in which the checkout's package is found, and no server of the user's."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("OLLAMA", "COV_"))}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **more}


def command(*args: str) -> list[str]:
    """Return the words that call llm-gc."""
    return [sys.executable, "-m", "llm_gc", *args]


def llm_gc(*args: str, cwd: Path, stdin: str | None = None, **more: str) -> Result:
    """Run llm-gc with its standard streams piped."""
    done = subprocess.run(
        command(*args),
        cwd=cwd,
        env=environ(**more),
        capture_output=True,
        text=True,
        encoding="utf-8",
        input=stdin,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Result(done.returncode, done.stdout, done.stderr)


def copy_m1(folder: Path, file: str = "m1.yaml") -> Path:
    """Copy m1 and its prompts into a folder: no pipeline there may name what is outside of it."""
    shutil.copytree(ROOT / "prompts" / "m1", folder / "prompts" / "m1")
    return Path(shutil.copy(M1, folder / file))


def transcripts(folder: Path) -> list[Any]:
    """Return the transcripts in a folder's sessions/, oldest first."""
    return [json.loads(file.read_text(encoding="utf-8")) for file in sorted((folder / "sessions").glob("*.json"))]
