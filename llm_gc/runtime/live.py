"""The driver for real time: answers asks from a backend, several at once where the conversation allows it.

It adds to the core what the core must not know: concurrency, trying again, and telling somebody what continues.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import Protocol

from llm_gc.backends.interface import Backend, Progress
from llm_gc.core import Conversation, Turn
from llm_gc.errors import TemplateError
from llm_gc.protocol import Ask, Attempt, Failure, Reply
from llm_gc.runtime.gates import Gates
from llm_gc.runtime.retry_policy import RetryPolicy
from llm_gc.runtime.worker import Halted, Worker

Sleep = Callable[[float], Awaitable[None]]


class Observer(Protocol):
    """Whoever is told what continues. Nothing that it does changes the conversation."""

    def began(self, ask: Ask) -> None:
        """An ask is about to be answered."""

    def progress(self, ask: Ask, progress: Progress) -> None:
        """Something happened on the way to a reply."""

    def retrying(self, ask: Ask, failure: Failure, wait: float) -> None:
        """A try has failed, and the ask is repeated after ``wait`` seconds; what streamed of it is void."""

    def settled(self, turn: Turn) -> None:
        """A turn is over."""


class Live:
    """Drives one conversation to its end."""

    def __init__(  # noqa: PLR0913  # the conversation and its backend, and how they are driven
        self,
        conversation: Conversation,
        backend: Backend,
        watchers: Iterable[Observer] = (),
        *,
        gates: Gates | None = None,
        sleep: Sleep = asyncio.sleep,
        told: int = 0,
        worker: Worker | None = None,
    ) -> None:
        """Take as many requests in flight as the ``gates`` let through: one for each model of each server without them.

        Of the first turns in the conversation's log, as many as ``told``, nobody is told again. The conversation
        computes in ``worker``.
        """
        self._conversation, self._backend = conversation, backend
        self._watchers = tuple(watchers)
        self._gates, self._sleep = gates or Gates(), sleep
        self._told = told
        self._worker = Worker() if worker is None else worker

    async def run(self) -> None:
        """Answer until the conversation has ended.

        When this is cancelled, every request in flight is cancelled with it, and really gone, before it returns. So
        it is when a backend or a watcher raises; the replies that were there by then are settled first.
        """
        tasks: dict[asyncio.Task[Reply], Ask] = {}
        try:
            asks = await self._worker.do(_rendered, self._conversation.pending)
            while True:
                tasks.update({asyncio.create_task(self._answer(ask, unsent)): ask for ask, unsent in asks})
                if not tasks:
                    return
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                finished = sorted((task for task in tasks if task in done), key=_is_broken)
                asks = [new for task in finished for new in await self._take(task, tasks)]
        finally:
            arrived = [task for task in tasks if task.done() and not _is_broken(task)]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for task in arrived:
                self._keep(tasks[task], task.result())

    async def _take(self, task: asyncio.Task[Reply], tasks: dict[asyncio.Task[Reply], Ask]) -> list[_New]:
        """Answer the conversation, which computes what is to be asked next."""
        reply, ask = task.result(), tasks.pop(task)
        if self._conversation.outcome is not None:
            return []
        try:
            return await self._worker.do(lambda: _rendered(self._conversation.answer(ask, reply)))
        finally:
            self._tell()

    def _keep(self, ask: Ask, reply: Reply) -> None:
        """Settle a reply that is there when all ends: it is kept, and nothing is asked because of it."""
        if self._conversation.outcome is None:
            with contextlib.suppress(Halted):
                self._conversation.answer(ask, reply)
            self._tell()

    def _tell(self) -> None:
        log = self._conversation.log
        for turn in log[self._told :]:
            for watcher in self._watchers:
                watcher.settled(turn)
        self._told = len(log)

    async def _answer(self, ask: Ask, unsent: Reply | None) -> Reply:
        """Answer an ask, with as many tries as it is worth; waits and failed tries count in its seconds.

        One whose request cannot be made has the reply that says so already, and is not sent.
        """
        if unsent is not None:
            return unsent
        async with self._gates.through(ask.casting.host, ask.model):
            for watcher in self._watchers:
                watcher.began(ask)
            return await self._try(ask)

    async def _try(self, ask: Ask) -> Reply:
        attempts: list[Attempt] = []
        policy, spent, trying = RetryPolicy(ask), 0.0, ask
        while True:
            reply = await self._backend.reply(trying, lambda progress: self._progress(ask, progress))
            spent += reply.seconds
            failure = reply.failure
            wait = None if failure is None else policy.wait(failure, reply.seconds)
            again = None if wait is None else _in_time(ask, spent + wait)
            if failure is not None:
                failure = failure._replace(after=None, is_loading=False)  # of no concern to the conversation
                reply = replace(reply, failure=failure)
            if failure is None or wait is None or again is None:
                return replace(reply, attempts=tuple(attempts), seconds=spent) if attempts else reply
            attempts.append(Attempt(failure, reply.content, reply.thinking, reply.seconds, reply.tokens))
            for watcher in self._watchers:
                watcher.retrying(ask, failure, wait)
            await self._sleep(wait)
            spent += wait
            trying = again

    def _progress(self, ask: Ask, progress: Progress) -> None:
        for watcher in self._watchers:
            watcher.progress(ask, progress)


_New = tuple[Ask, Reply | None]
"""An ask that can be answered now; where its request cannot be rendered, with the reply that says so."""


def _rendered(asks: Iterable[Ask]) -> list[_New]:
    """Render the requests of asks, which takes its time."""
    return [(ask, _unsent(ask)) for ask in asks]


def _unsent(ask: Ask) -> Reply | None:
    try:
        _ = ask.request
    except TemplateError as error:
        return Reply(failure=Failure("template", str(error)))
    return None


def _in_time(ask: Ask, spent: float) -> Ask | None:
    """Return the ask with no more time than is left of it after ``spent`` seconds; None where nothing is left."""
    if ask.time_left is None:
        return ask
    left = ask.time_left - spent
    if left <= 0:
        return None
    return replace(ask, load_timeout=min(ask.load_timeout, left), time_left=left)


def _is_broken(task: asyncio.Task[Reply]) -> bool:
    return task.cancelled() or task.exception() is not None
