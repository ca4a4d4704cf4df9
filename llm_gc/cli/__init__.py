"""The command line: one file per command, loaded when it is called.

``main`` starts it. ``process`` looks after signals and streams, ``commands`` holds the commands, ``output`` alone
prints, and ``failures`` makes a message and an exit code of every error. Nothing is imported here before ``main`` runs,
so that Ctrl-C is handled from the first moment on.
"""

GC_THRESHOLD = 50_000
"""Objects between two looks for garbage: what a command makes it mostly keeps, and looking costs more than it finds."""


INTERRUPTED = 130
"""The exit code after Ctrl-C, as in ``errors``, which is not loaded before Ctrl-C is handled."""


def main() -> None:
    """Run the command line, and end the process with its exit code."""
    try:
        from llm_gc.cli import process

        process.run()
    except KeyboardInterrupt:  # it came before there was a handler, or when the command had ended already
        leave()
    except Exception as error:  # noqa: BLE001  # not even what reports errors could be loaded: for want of memory or files
        _end(f"cannot start: {error!a}", 1)


def leave(*_: object) -> None:
    """End here and now, as interrupted: nothing was begun that would have to be put in order."""
    _end("interrupted", INTERRUPTED)


def _end(why: str, code: int) -> None:
    import os

    try:
        os.write(2, f"llm-gc: {why}\n".encode("ascii"))
    finally:
        os._exit(code)
