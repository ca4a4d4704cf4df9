"""What templates can see at one point of the conversation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from llm_gc.core.history import History
from llm_gc.core.run_context import RunContext
from llm_gc.protocol import NOTHING, Message
from llm_gc.values.frozen import FrozenDict, FrozenList


class Snapshot(NamedTuple):
    """What templates can see at one point of the conversation, also later, when it has continued."""

    stage: RunContext
    names: Mapping[str, Any]
    history: History
    end: int
    round: int | None = None
    turn: int | None = None
    role: str | None = None

    def lookup(self, name: str) -> Any:
        """Return the value of a name.

        Raises:
            KeyError: where there is none.

        """
        if name in self.names:
            return self.names[name]
        if name in self.stage.inputs:
            return self.stage.inputs[name]
        match name:
            case "last":
                return next((said.message for said in self.history.said(self.end)), NOTHING)
            case "said":
                return self._newest()
            case "messages":
                return FrozenList([said.message for said in self.history.said(self.end)][::-1])
            case "roles":
                return self.stage.roles
            case "role" if self.role:
                return self.stage.roles[self.role]
            case "turn" | "round" if getattr(self, name) is not None:
                return getattr(self, name)
        raise KeyError(name)

    def _newest(self) -> FrozenDict:
        newest: dict[str, tuple[int, Message]] = {}
        for speaker in self.history.speakers():
            position = next(self.history.said_by(speaker, self.end), None)
            if position is not None and position >= newest.get(speaker.role, (-1, NOTHING))[0]:
                newest[speaker.role] = (position, self.history[position].message)  # type: ignore[union-attr]
        return FrozenDict((role, newest.get(role, (0, NOTHING))[1]) for role in self.stage.roles)
