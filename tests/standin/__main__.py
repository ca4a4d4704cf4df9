"""The stand-in as a process of its own: prints its URL, then serves until it is told to stop."""

import argparse
import itertools
import signal
import sys
import threading
from collections.abc import Callable, Sequence

from .behaviours import Job, Say
from .requests import Model
from .server import StandIn

_REMEMBERED = 1000


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve."""
    given = _parser().parse_args(arguments)
    gap = 1 / given.words_per_second if given.words_per_second else 0.0
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    server = StandIn(
        [_model(text) for text in given.model],
        reply=_in_turn(given.reply, given.latency, gap) if given.reply else None,
        words_per_second=given.words_per_second,
        latency=given.latency,
        host=given.host,
        port=given.port,
        remember=_REMEMBERED,
    )
    with server:
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        stop.wait()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m tests.standin", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 for any free one")
    parser.add_argument("--model", action="append", required=True, metavar="NAME[:CTX]")
    parser.add_argument("--words-per-second", type=float, default=0.0, metavar="N", help="0 for all at once")
    parser.add_argument("--latency", type=float, default=0.0, metavar="SECONDS", help="before the first word")
    parser.add_argument("--reply", nargs="+", metavar="TEXT", help="what to say, in turn")
    return parser


def _model(text: str) -> Model:
    """A model from its name, and its window if a number is at the end."""
    name, _, context = text.rpartition(":")
    return Model(name, context=int(context)) if name and context.isdigit() else Model(text)


def _in_turn(texts: Sequence[str], latency: float, gap: float) -> Callable[[Job], Say]:
    """One text after the other, from the front again when they are used up."""
    replies = itertools.cycle(texts)
    return lambda job: Say(next(replies), before=latency, gap=gap)


if __name__ == "__main__":
    main()
