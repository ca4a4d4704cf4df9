"""What became of an ask: the record of one turn, and why a conversation ends."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from llm_gc.protocol import Ask, Failure, FailureKind, Message, Reply, Speaker

Reason = Literal[
    "turns_done", "end_step", "stop_token",
    "max_turns", "max_total_tokens", "max_time", "repetition", "overflow",
    "error", "interrupted",
]  # fmt: skip
Status = Literal["completed", "stopped", "failed", "interrupted"]

_COMPLETED = ("turns_done", "end_step", "stop_token")
_OTHERS: dict[str, Status] = {"error": "failed", "interrupted": "interrupted"}


@dataclass(frozen=True)
class Exchange:
    """An ask, its reply, why the reply will not do (none where it does), and what is odd about it."""

    ask: Ask
    reply: Reply
    failure: Failure | None = None
    warnings: tuple[str, ...] = ()


def numbered(message: Message, turn: int) -> Message:
    """Return a message with the number of its turn."""
    return replace(message, turn=turn)


@dataclass(frozen=True)
class Turn:
    """One turn: the exchange that settled it, those before it that did not, and the message that came of it.

    ``number`` counts turns from 1; a turn inside a branch that is still going on has none yet. ``heard`` says whether
    the others are sent it, ``said`` what they are sent, without its label. A pick is no turn: it has no number.
    ``speaker`` is who spoke as far as that is known by now; which copy it is, is known when the turn is no longer
    ``is_open``: the blocks around it are over. ``depth`` counts the scenes around it.
    """

    number: int | None
    exchange: Exchange
    message: Message
    attempts: tuple[Exchange, ...] = ()
    heard: bool = True
    said: str = ""
    warnings: tuple[str, ...] = ()
    is_pick: bool = False
    speaker: Speaker = Speaker("")
    depth: int = 1
    is_open: bool = False

    @property
    def copy(self) -> int | None:
        """Which copy of the role spoke: 0 for the role itself; None inside a block."""
        return None if self.is_open else self.speaker.copy


@dataclass(frozen=True)
class Outcome:
    """How a conversation ended. ``failure`` is the kind of the failure that ended it, if one did.

    ``is_failed`` is set where it has failed for whatever reason it ended: its author says so, or no turn succeeded.
    """

    reason: Reason
    detail: str
    result: Any
    failure: FailureKind | None = None
    is_failed: bool = False

    @property
    def status(self) -> Status:
        """How it went, in one of four words."""
        if self.is_failed:
            return "failed"
        return "completed" if self.reason in _COMPLETED else _OTHERS.get(self.reason, "stopped")


class Ending(Exception):  # it is no error: a flow is left by it
    """Raised inside a flow to end its branch or its scene.

    ``level`` is the depth of the scene that it ends, where that need not be the innermost one: a limit's. Where it
    ``is_failed``, what ends has failed, whatever the reason.
    """

    def __init__(
        self,
        reason: Reason,
        detail: str,
        failure: FailureKind | None = None,
        level: int | None = None,
        is_failed: bool = False,  # "why" gives all of it by position
    ) -> None:
        """Keep why."""
        super().__init__(detail)
        self.reason: Reason = reason
        self.detail, self.failure, self.level, self.is_failed = detail, failure, level, is_failed

    @property
    def why(self) -> tuple[Any, ...]:
        """All that it says, as a value."""
        return (self.reason, self.detail, self.failure, self.level, self.is_failed)
