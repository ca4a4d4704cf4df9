"""What becomes of an error that ends a command: a message for people, and an exit code."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence

import click

from llm_gc.cli.output import OutputLost, err, out, why_lost
from llm_gc.cli.registry import COMMANDS
from llm_gc.errors import COMPLETED, FAILED, INTERRUPTED, USAGE, LlmGcError
from llm_gc.values.safe_text import mask_all

DEBUG = "LLM_GC_DEBUG"
"""The environment variable that lets the traceback of an unexpected error be shown."""

LONGEST_PATH = 200
"""So many characters of a path are shown."""

_NAMED_BADLY = {
    errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP,
}  # fmt: skip
"""Errors of the system that are about a path which the user named."""

_REMEDIES = {
    errno.EMFILE: "this process may open no more files; raise the limit with ulimit -n",
    errno.ENFILE: "this machine has too many files open",
    errno.ENOSPC: "the disk is full; free some of it",
    errno.EDQUOT: "the disk quota is used up; free some of it",
    errno.ENOMEM: "there is not enough memory",
}


def is_debugging() -> bool:
    """Return whether tracebacks are asked for."""
    return os.environ.get(DEBUG, "") not in ("", "0")


def silence_logs() -> None:
    """Print nothing that libraries log, such as the traceback of a task that failed while another did."""
    import logging

    if not is_debugging():
        logging.disable()


def exit_code(error: BaseException) -> int:
    """Report an error on standard error, and return the exit code that it means."""
    try:
        lines, code = _reported(error)
    except OutputLost as lost:
        lines, code = _reported(lost)
    for number, line in enumerate(lines):
        err.line(line if number else f"llm-gc: {line}", fit=": error: " not in line)  # a place stays whole
    return code


def _reported(error: BaseException) -> tuple[Sequence[str], int]:
    """Return what is said about an error, line by line, and its exit code."""
    match error:
        case click.exceptions.NoArgsIsHelpError():
            out.text(error.format_message())
            return (), COMPLETED
        case click.ClickException():
            return (_usage(error),), error.exit_code
        case LlmGcError():
            return error.lines, error.exit_code
        case click.Abort() | KeyboardInterrupt():
            return ("interrupted",), INTERRUPTED
        case SystemExit():
            return (), error.code if isinstance(error.code, int) else FAILED if error.code else COMPLETED
        case OutputLost():
            return (why_lost(out.lost),) if out.lost is not None and out.lost.errno != errno.EPIPE else (), FAILED
        case BaseExceptionGroup(exceptions=[alone]):
            return _reported(alone)
    if is_debugging():
        from traceback import format_exception

        return [line for text in format_exception(error) for line in text.rstrip("\n").split("\n")], _system(error)[1]
    message, code = _system(error)
    return (message,), code


def _system(error: BaseException) -> tuple[str, int]:
    """Return what is said of an error that no part of the program has made a message of, and its exit code."""
    match error:
        case MemoryError():
            return "there is not enough memory", FAILED
        case RecursionError():
            return "something here is nested too deeply", FAILED
        case OSError(errno=int(number)) if number in _REMEDIES:
            return f"{_path(error)}{_REMEDIES[number]}", FAILED
        case OSError(errno=int(number)) if number in _NAMED_BADLY and error.filename is not None:
            return f"{_path(error)}{(error.strerror or str(error)).lower()}", USAGE
        case ImportError():
            return f"a part of the program cannot be loaded ({error}); is it installed, and enough memory free?", FAILED
        case SystemError():
            return f"Python itself failed ({error}); is there enough memory?", FAILED
        case RuntimeError() if "can't start new thread" in str(error):
            return "this machine allows no more threads; see ulimit -u", FAILED
    kind = type(error).__name__
    if kind == "BrokenProcessPool":
        return "a process that shared the work was ended by the system; is there enough memory?", FAILED
    return (
        f"unexpected {kind}: {error}. This is a fault of llm-gc, please report it with what the same command prints "
        f"where {DEBUG}=1 is set"
    ), FAILED


def _path(error: OSError) -> str:
    """Return the path that an error of the system is about, to be before what is said of it."""
    if not isinstance(error.filename, (str, bytes)):
        return ""
    path = os.fsdecode(error.filename)
    return f"{path if len(path) <= LONGEST_PATH else path[: LONGEST_PATH - 1] + '…'}: "


def _usage(error: click.ClickException) -> str:
    """Return a wrong use in one paragraph, with the way to the help that is about it."""
    called = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    name = f"llm-gc {called}" if called in COMMANDS else "llm-gc"
    text = mask_all(error.format_message()).rstrip(".")
    return f"{text}{'' if text.endswith('?') else '.'} See {name} --help."
