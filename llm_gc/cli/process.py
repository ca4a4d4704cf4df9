"""The process of a command: its signals, its standard streams and its end, none of which ever shows a traceback.

Ctrl-C ends the process at once while it only starts or only ends. In between it is a ``KeyboardInterrupt``, or what the
command makes of it, so that files are put in order first.
"""

from __future__ import annotations

import os
import signal
import stat
import sys

from llm_gc.cli.exits import GC_THRESHOLD, INTERRUPTED, leave

TYPE_CHECKING = False  # as in typing, which is not loaded before Ctrl-C is handled
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Task
    from collections.abc import Callable, Coroutine
    from typing import Any, TypeVar

    T = TypeVar("T")


PATIENCE = 10.0
"""Seconds until a command that was cancelled and does not end is cancelled again."""

_SHOW_CURSOR = b"\x1b[?25h"


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
    """Run a coroutine to its end; Ctrl-C or a request to terminate cancels it, a second one ends the process at once.

    Raises:
        KeyboardInterrupt: where it was cancelled so.

    """
    import asyncio

    async def cancellable() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None  # noqa: S101  # this is inside one
        before = _handle_signals(lambda: loop.call_soon_threadsafe(_cancel, loop, task))
        try:
            return await coroutine
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    try:
        return asyncio.run(cancellable())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        coroutine.close()  # where there was no loop to run it


def _cancel(loop: AbstractEventLoop, task: Task[Any]) -> None:
    """Cancel a task until it is over: a library may take a cancellation for something else, and continue."""
    if not task.done():
        task.cancel()
        loop.call_later(PATIENCE, _cancel, loop, task)


def _handle_signals(cancel: Callable[[], object]) -> dict[int, Any]:
    """Call ``cancel`` for the first signal that asks the process to end, and end it at the second.

    Return the handlers that were there before. A signal that is ignored stays so.
    """
    restore = _terminal()

    def stop(*_: object) -> None:
        if _Interruption.came:
            restore()
            leave()
        _Interruption.came = True
        cancel()

    numbers = [number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) is not signal.SIG_IGN]
    return {number: signal.signal(number, stop) for number in numbers}


def _terminal() -> Callable[[], None]:
    """Return what puts the terminal back into its state of now: a prompt or a moving line may have changed it."""
    try:
        import termios
    except ImportError:  # Windows
        return lambda: None
    try:
        state = termios.tcgetattr(0)
    except (OSError, ValueError, termios.error):
        return lambda: None

    def restore() -> None:
        try:
            termios.tcsetattr(0, termios.TCSANOW, state)
            os.write(2, _SHOW_CURSOR)
        except (OSError, termios.error):
            return

    return restore


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
