"""Figures in words: seconds, tokens, and the line under a turn."""

from __future__ import annotations

from llm_gc.conversation import Turn
from llm_gc.records import Transcript


def seconds(value: float | None) -> str:
    """Give a time: ``0.3 s``, ``12.4 s``, ``3 m 05 s``."""
    if value is None:
        return "?"
    if value < 120:
        return f"{value:.1f} s"
    return f"{int(value // 60)} m {int(value % 60):02d} s"


def line(turn: Turn) -> str:
    """Give what is said under a turn: time, tokens, tokens per second, and what else is worth a word.

    Nothing of that is known of a person.
    """
    if turn.exchange.ask.casting.human:
        return ""
    reply = turn.exchange.reply
    latency, tokens = reply.latency, reply.tokens
    words = [seconds(latency.total if latency.total is not None else reply.seconds)]
    if latency.first_token is not None:
        words.append(f"first token after {seconds(latency.first_token)}")
    if latency.load is not None and latency.load >= 1:
        words.append(f"loading {seconds(latency.load)}")
    if latency.wait is not None and latency.wait >= 1:
        words.append(f"waiting for a slot {seconds(latency.wait)}")
    words.append(f"prompt {_count(tokens.prompt)} and reply {_count(tokens.completion)} tokens")
    if tokens.completion and latency.generation:
        words.append(f"{tokens.completion / latency.generation:.1f} tokens/s")
    if reply.cut:
        words.append("cut by length")
    if turn.exchange.failure is None and (dropped := turn.exchange.ask.request.dropped):
        words.append(f"{dropped} older message{'' if dropped == 1 else 's'} dropped")
    if reply.attempts or turn.attempts:
        words.append(f"attempt {len(reply.attempts) + len(turn.attempts) + 1}")
    return " · ".join(words)


def summary(transcript: Transcript) -> str:
    """Give how a conversation ended, and what it cost."""
    totals, ended = transcript.totals, transcript.ended_by
    turns = f"{totals.turns} turn{'' if totals.turns == 1 else 's'}"
    failed = f" ({totals.failed} failed)" if totals.failed else ""
    tokens = f"prompts {totals.tokens.prompt or 0} and replies {totals.tokens.completion or 0} tokens"
    why = "" if transcript.status == ended.reason else f" ({ended.reason})"
    head = f"{transcript.status}{why}: {ended.detail}"
    reloads = f" · {totals.reloads} reload{'' if totals.reloads == 1 else 's'}" if totals.reloads else ""
    return f"{head}\n{turns}{failed} · {seconds(totals.seconds)} · {tokens}{reloads}"


def _count(value: int | None) -> str:
    return "?" if value is None else str(value)
