"""connection: one client's socket: its requests are read one by one, and answered one by one."""

import asyncio
from collections.abc import Awaitable, Callable

from .http import NOT_HTTP, BadRequest, Received, read_request
from .performance import Performance
from .records import Journal, Request

Answerer = Callable[[Request, Performance], Awaitable[None]]


class Connection(asyncio.Protocol):
    """The server's end of a connection.

    While a request is being answered the socket is still read, so that a client that goes away is
    noticed at once: then the answer is given up wherever it is, and the request is marked as `gone`.
    """

    transport: asyncio.Transport

    def __init__(self, answerer: Answerer, journal: Journal, everyone: set["Connection"]) -> None:
        """Answer with `answerer`, and be one of `everyone` for as long as the connection lasts."""
        self.answerer = answerer
        self.journal = journal
        self.everyone = everyone
        self.received = bytearray()
        self.writable = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
        self.request: Request | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.writable.set()
        self.everyone.add(self)
        self.journal.connections += 1

    def data_received(self, data: bytes) -> None:
        """A client has sent something."""
        self.received += data
        if self.task is None:
            self._next_request()

    def eof_received(self) -> None:
        """A client that will not send any more does not want its answer either: so Go sees it."""
        self.transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is over, whoever ended it."""
        self.everyone.discard(self)
        if self.task and self.request:
            self.request.gone.set()
            self.journal.changed()
            self.task.cancel()

    def pause_writing(self) -> None:
        """The client reads more slowly than we write."""
        self.writable.clear()

    def resume_writing(self) -> None:
        """The client has caught up."""
        self.writable.set()

    async def shut(self) -> None:
        """The server goes away, whatever it leaves unanswered."""
        task, self.task = self.task, None
        self.transport.abort()
        if task:
            task.cancel()
            await asyncio.wait([task])

    def _next_request(self) -> None:
        try:
            received = read_request(self.received)
        except BadRequest:
            self.transport.write(NOT_HTTP)
            self.transport.close()
            return
        if received:
            del self.received[: received.size]
            self.task = asyncio.get_running_loop().create_task(self._serve(received))
            self.task.add_done_callback(self._served)

    def _served(self, task: asyncio.Task[None]) -> None:
        """Notice a mistake of our own: the client sees a cut, the test the exception."""
        if not task.cancelled() and (bug := task.exception()):
            self.journal.bugs.append(bug)
            self.transport.abort()

    async def _serve(self, received: Received) -> None:
        """Answer one request."""
        path = received.target.partition("?")[0]
        request = self.request = Request(received.method, path, received.headers, received.body)
        performance = Performance(received, self.transport, self.writable)
        await self.answerer(request, performance)
        self.task = None
        request.answered.set()
        self.journal.changed()
        if not performance.keeps:
            self.transport.close()
        elif self.received:
            self._next_request()
