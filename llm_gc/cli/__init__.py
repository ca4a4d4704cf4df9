"""The command line: one file per command, loaded when it is called.

``main`` starts it. ``process`` looks after signals and streams, ``commands`` holds the commands, ``output`` alone
prints, and ``failures`` makes a message and an exit code of every error. Nothing is imported here before ``main`` runs,
so that Ctrl-C is handled from the first moment on.
"""

GC_THRESHOLD = 50_000
"""Objects between two looks for garbage: what a command makes it mostly keeps, and looking costs more than it finds."""


def main() -> None:
    """Run the command line, and end the process with its exit code."""
    try:
        from llm_gc.cli import process

        process.run()
    except KeyboardInterrupt:  # it came before there was a handler, or between two
        import os

        os._exit(130)
