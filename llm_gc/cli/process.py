"""The process of a command: its signals, its standard streams and its end, none of which ever shows a traceback.

Ctrl-C ends the process at once while it only starts or only ends. In between it is a ``KeyboardInterrupt``, or what the
command makes of it, so that files are put in order first.
"""

from __future__ import annotations

import os
import signal
import stat
import sys

from llm_gc.cli import GC_THRESHOLD, INTERRUPTED, leave

TYPE_CHECKING = False  # as in typing, which is not loaded before Ctrl-C is handled
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any, TypeVar

    T = TypeVar("T")


class _Interruption:
    """Whether Ctrl-C came while the command ran: what libraries make of it on its way up may be another error."""

    came = False


def run() -> None:
    """Run the command that ``sys.argv`` names, and end the process with its exit code."""
    hears = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # else nobody wants Ctrl-C to be heard
    if hears:
        signal.signal(signal.SIGINT, leave)
    _open_descriptors()
    code = _run(hears=hears)
    if hears:
        signal.signal(signal.SIGINT, lambda *_: os._exit(code))
    if code == INTERRUPTED:
        os._exit(code)  # Python would end by the signal itself, wherever it had come in a piece of generated code
    sys.exit(code)


def run_async(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end; Ctrl-C cancels it, unless it handles that itself.

    Raises:
        KeyboardInterrupt: where it was cancelled so.

    """
    import asyncio

    handler = signal.getsignal(signal.SIGINT)
    if handler is _interrupt:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # asyncio puts its own in its place
    try:
        return asyncio.run(coroutine)
    finally:
        coroutine.close()  # where there was no loop to run it
        if handler is _interrupt:
            signal.signal(signal.SIGINT, handler)


def silence_logs() -> None:
    """Print nothing that libraries log, such as the traceback of a task that failed while another did."""
    import logging

    from llm_gc.cli.failures import is_debugging

    if not is_debugging():
        logging.disable()


def _run(*, hears: bool) -> int:
    """Run the command, and return its exit code."""
    import gc
    import threading
    import warnings

    from llm_gc.cli.failures import exit_code, is_debugging
    from llm_gc.cli.output import guard, out

    gc.set_threshold(GC_THRESHOLD)
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # to look for some costs more than to read a pipeline
    guard()
    if not sys.warnoptions and not is_debugging():
        warnings.simplefilter("ignore")  # they are for developers
    sys.unraisablehook = threading.excepthook = _stray
    try:
        from llm_gc.cli.commands import cli

        if hears:
            signal.signal(signal.SIGINT, _interrupt)
        code = cli.main(standalone_mode=False)
        code = code if isinstance(code, int) else 0
        out.end()
    except BaseException as error:  # noqa: BLE001  # there is nobody else whom it could reach
        code = exit_code(KeyboardInterrupt() if _Interruption.came else error)
    gc.freeze()  # the process ends here: to look once more through all that it holds takes as long as a check
    return 1 if code == 0 and out.lost is not None else code


def _interrupt(*_: object) -> None:
    if _Interruption.came:
        leave()
    _Interruption.came = True
    raise KeyboardInterrupt


def _open_descriptors() -> None:
    """Open what is closed of the standard streams: else a file would get its number, and all that is printed.

    A pipe that would rather fail than let anybody wait is made to wait: it may be slow to take what is printed.
    """
    for descriptor in range(3):
        try:
            if stat.S_ISFIFO(os.fstat(descriptor).st_mode) and hasattr(os, "set_blocking"):
                os.set_blocking(descriptor, True)
        except OSError:
            try:
                os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
            except OSError:
                return


def _stray(failed: Any) -> None:
    """Show nothing of what fails in a destructor, a callback or a thread, where nobody catches it; but hear Ctrl-C."""
    from llm_gc.cli.failures import is_debugging

    if isinstance(failed.exc_value, KeyboardInterrupt):
        leave()
    if is_debugging():
        sys.__excepthook__(failed.exc_type, failed.exc_value, failed.exc_traceback)
