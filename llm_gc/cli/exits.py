"""How the process ends when nothing else can be done; imports nothing, so that it is there before all else."""

GC_THRESHOLD = 50_000
"""Objects between two looks for garbage: what a command makes it mostly keeps, and looking costs more than it finds."""


INTERRUPTED = 130
"""The exit code after Ctrl-C, as in ``errors``, which is not loaded before Ctrl-C is handled."""


def leave(*_: object) -> None:
    """End here and now, as interrupted: nothing was begun that would have to be put in order."""
    end("interrupted", INTERRUPTED)


def end(why: str, code: int) -> None:
    """Print why, and end the process with an exit code, at once."""
    import os

    try:
        os.write(2, f"llm-gc: {why}\n".encode("ascii"))
    finally:
        os._exit(code)
