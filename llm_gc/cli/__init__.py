"""The command line: one file per command, loaded when it is called.

``main`` starts it. ``process`` looks after signals and streams, ``commands`` holds the commands, ``output`` alone
prints, and ``failures`` makes a message and an exit code of every error. Nothing is imported here before ``main`` runs,
so that Ctrl-C is handled from the first moment on.
"""


def main() -> None:
    """Run the command line, and end the process with its exit code."""
    try:
        from llm_gc.cli import process

        process.run()
    except KeyboardInterrupt:  # it came before there was a handler, or when the command had ended already
        from llm_gc.cli.exits import leave

        leave()
    except Exception as error:  # noqa: BLE001  # not even what reports errors could be loaded: for want of memory or files
        from llm_gc.cli.exits import end

        end(f"cannot start: {error!a}", 1)
