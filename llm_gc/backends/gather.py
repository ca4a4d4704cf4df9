"""Several things done at once, of which each one is done to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import TypeVar

T = TypeVar("T")


async def together(doings: Iterable[Awaitable[T]]) -> list[T]:
    """Do all at once; what went wrong first, in their order, is raised when all have ended."""
    results = await asyncio.gather(*doings, return_exceptions=True)
    done: list[T] = []
    for result in results:
        if isinstance(result, BaseException):
            raise result
        done.append(result)
    return done
