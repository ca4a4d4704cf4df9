"""JSON back to records: the one reader of transcripts and journals, versioned, and without a file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from llm_gc._version import FORMAT
from llm_gc.transcript.records import Header, Transcript, TurnRecord
from llm_gc.values.frozen import is_deep

if TYPE_CHECKING:
    from pydantic import TypeAdapter


R = TypeVar("R")

TOO_DEEP = "[nested too deeply to be shown]"
"""Is in the place of a tool call that is: nobody acts on it, and it must not keep anybody from reading the rest."""


def load(data: Any) -> Transcript:
    """Read a transcript from plain data.

    Raises:
        ValueError: where it is none, or of a version that this program does not know.

    """
    if not isinstance(data, dict) or "format" not in data or "turns" not in data:
        raise ValueError("this is no transcript of llm-gc")
    _check_format(data["format"])
    transcript = _read(Transcript, data)
    _check_seed(transcript.seed)
    return replace(transcript, turns=tuple(map(_sound, transcript.turns)))


def load_journal(lines: Iterable[Any]) -> tuple[Header, tuple[TurnRecord, ...], dict[str, str]]:
    """Read a journal from plain data, a value for each line: what was known at the start, the turns, and the texts.

    Raises:
        ValueError: where it is none, or of a version that this program does not know.

    """
    header: Header | None = None
    turns: list[TurnRecord] = []
    texts: dict[str, str] = {}
    for line in lines:
        match line:
            case {"start": {"format": format_, **start}} if header is None:
                _check_format(format_)
                header = _read(Header, start)
                _check_seed(header.seed)
            case {"turn": turn, "texts": dict(more)} if header is not None:
                turns.append(_sound(_read(TurnRecord, turn)))
                texts |= more
            case _:
                raise ValueError("this is no journal of llm-gc")
    if header is None:
        raise ValueError("nothing was written to it yet")
    return header, tuple(turns), texts


def _check_format(format_: Any) -> None:
    if format_ != FORMAT:
        newer = "; a newer llm-gc may" if isinstance(format_, int) and format_ > FORMAT else ""
        raise ValueError(f"it has format {format_!r}, and this llm-gc reads format {FORMAT}{newer}")


def _check_seed(seed: int | None) -> None:
    if seed is not None and seed < 0:
        raise ValueError(f"the seed {seed} is negative")


@cache
def _adapter(record: Any) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter  # only those who read transcripts pay for it

    return TypeAdapter(record)


def _read(record: type[R], data: Any) -> R:
    from pydantic import ValidationError

    kind: Any = record
    try:
        read: R = _adapter(kind).validate_python(data)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"at {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    return read


def _sound(turn: TurnRecord) -> TurnRecord:
    """Return a turn whose parts fit one another.

    Raises:
        ValueError: for a choice that names nobody.

    """
    if (
        turn.is_pick
        and turn.error is None
        and not (isinstance(turn.data, dict) and isinstance(turn.data.get("next"), str))
    ):
        raise ValueError(f"the choice {turn.id} names nobody")
    calls = tuple(TOO_DEEP if is_deep(call) else call for call in turn.tool_calls)
    return replace(turn, tool_calls=calls) if TOO_DEEP in calls else turn
