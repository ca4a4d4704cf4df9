"""The process of a command: its signals, its standard streams and its end, none of which ever shows a traceback.

Ctrl-C ends the process at once while it only starts or only ends. In between it is a ``KeyboardInterrupt``, or what the
command makes of it, so that files are put in order first.
"""

from __future__ import annotations

import os
import signal
import sys
from types import TracebackType
from typing import Any

from llm_gc.errors import INTERRUPTED

_NOTICE = b"llm-gc: interrupted\n"


def run() -> None:
    """Run the command that ``sys.argv`` names, and end the process with its exit code."""
    hears = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # else nobody wants Ctrl-C to be heard
    if hears:
        signal.signal(signal.SIGINT, leave)
    _open_descriptors()
    code = _run(hears=hears)
    if hears:
        signal.signal(signal.SIGINT, lambda *_: os._exit(code))
    sys.exit(code)


def leave(*_: object) -> None:
    """End here and now, as interrupted: nothing was begun that would have to be put in order."""
    try:
        os.write(2, _NOTICE)
    finally:
        os._exit(INTERRUPTED)


def _run(*, hears: bool) -> int:
    """Run the command, and return its exit code."""
    import gc

    from llm_gc.cli import GC_THRESHOLD
    from llm_gc.cli.failures import exit_code
    from llm_gc.cli.output import guard, out

    gc.set_threshold(GC_THRESHOLD)
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # to look for some costs more than to read a pipeline
    guard()
    sys.unraisablehook, sys.excepthook = _unraisable, _escaped
    try:
        from llm_gc.cli.commands import cli

        if hears:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        code = cli.main(standalone_mode=False)
        code = code if isinstance(code, int) else 0
        out.end()
    except BaseException as error:  # noqa: BLE001  # there is nobody else whom it could reach
        code = exit_code(error)
    gc.freeze()  # the process ends here: to look once more through all that it holds takes as long as a check
    return 1 if code == 0 and out.lost is not None else code


def _open_descriptors() -> None:
    """Open what is closed of the standard streams: else a file would get its number, and all that is printed."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            try:
                os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
            except OSError:
                return


def _unraisable(unraisable: Any) -> None:
    """Show nothing of what fails in a destructor or a callback, where nobody can catch it; but hear Ctrl-C there."""
    if isinstance(unraisable.exc_value, KeyboardInterrupt):
        leave()
    from llm_gc.cli.failures import is_debugging

    if is_debugging():
        sys.__unraisablehook__(unraisable)


def _escaped(_: type[BaseException], error: BaseException, __: TracebackType | None) -> None:
    """Report an error that nothing else has."""
    from llm_gc.cli.failures import exit_code

    exit_code(error)
