"""performance: one answer on its way out: acts to bytes, bytes to the transport."""

import asyncio
import socket
import struct
from collections.abc import Iterable
from dataclasses import replace

from .acts import Act, Drop, Head, Wait, Wire
from .http import LAST_CHUNK, Received, chunk, head_bytes

_ENOUGH = 65536
_RESET = struct.pack("ii", 1, 0)


class Performance:
    """Performs the acts of one answer; `keeps` tells afterwards whether the connection can continue."""

    def __init__(self, received: Received, transport: asyncio.Transport, writable: asyncio.Event) -> None:
        """Answer what was received; nothing is written while the client does not read."""
        self.transport = transport
        self.writable = writable
        self.keeps = received.keeps
        self.old = received.http == "1.0"
        self.bodiless = received.method == "HEAD"
        self.headless = True
        self.chunked = False
        self.out = bytearray()

    async def perform(self, acts: Iterable[Act]) -> None:
        """Do what the acts say, then end the answer properly."""
        for act in acts:
            if isinstance(act, bytes):
                self._body(act)
                if len(self.out) > _ENOUGH:
                    await self._flush()
                    await asyncio.sleep(0)
            elif isinstance(act, Head):
                self._head(act)
            elif isinstance(act, Wire):
                self.out += act.data
            elif isinstance(act, Wait):
                await self._flush()
                await _pause(act.seconds)
            else:
                await self._flush()
                self._drop(act)
                return
        if self.headless:
            self.keeps = False
        elif self.chunked and not self.bodiless:
            self.out += LAST_CHUNK
        await self._flush()

    def _head(self, head: Head) -> None:
        if self.old:
            head = replace(head, http="1.0")
        self.headless = False
        self.chunked = head.length is None and head.http != "1.0"
        self.keeps = self.keeps and head.http != "1.0"
        self.out += head_bytes(head, self.keeps)

    def _body(self, data: bytes) -> None:
        if data and not self.bodiless:
            self.out += chunk(data) if self.chunked else data

    async def _flush(self) -> None:
        if self.out:
            self.transport.write(bytes(self.out))
            self.out.clear()
        await self.writable.wait()

    def _drop(self, drop: Drop) -> None:
        self.keeps = False
        if drop.reset:
            connected = self.transport.get_extra_info("socket")
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.transport.abort()


async def _pause(seconds: float | None) -> None:
    if seconds is None:
        await asyncio.get_running_loop().create_future()
    else:
        await asyncio.sleep(seconds)
