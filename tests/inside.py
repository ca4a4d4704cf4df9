"""The command line called in this process: what it prints, and how it ends, far faster than as one of its own."""

from __future__ import annotations

import gc
import io
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path

from llm_gc.cli import output
from llm_gc.cli.commands import cli
from llm_gc.cli.failures import exit_code
from tests.commands import Result


def called(*args: str, cwd: Path, stdin: str = "") -> Result:
    """Call llm-gc with its standard streams piped, and everything guarded as in a process of its own."""
    with chdir(cwd), _streams(args, stdin) as (out, err):
        try:
            code = cli.main(list(args), standalone_mode=False)
        except BaseException as error:  # noqa: BLE001  # as where a process ends
            code = exit_code(error)
        return Result(code if isinstance(code, int) else 0, _text(out), _text(err))


@contextmanager
def _streams(args: tuple[str, ...], stdin: str) -> Iterator[tuple[io.BytesIO, io.BytesIO]]:
    """Replace the streams and arguments of the process for a while."""
    before = sys.argv, sys.stdin, sys.stdout, sys.stderr
    logged = logging.root.manager.disable
    threshold = gc.get_threshold()
    out, err = io.BytesIO(), io.BytesIO()
    sys.argv = ["llm-gc", *args]
    sys.stdin = io.TextIOWrapper(io.BytesIO(stdin.encode("utf-8", "surrogateescape")), "utf-8")
    sys.stdout, sys.stderr = (io.TextIOWrapper(raw, "utf-8", write_through=True) for raw in (out, err))
    output.guard()
    try:
        yield out, err
    finally:
        sys.argv, sys.stdin, sys.stdout, sys.stderr = before
        for stream in (output.out, output.err):
            stream.release()
        gc.set_threshold(*threshold)
        logging.disable(logged)


def _text(raw: io.BytesIO) -> str:
    return raw.getvalue().decode("utf-8", "surrogateescape").replace(os.linesep, "\n")
