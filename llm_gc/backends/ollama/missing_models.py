"""What a run needs and a server lacks, in words for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from llm_gc.backends.http.hosts import Address
from llm_gc.backends.http.kinds import OLLAMA
from llm_gc.backends.http.server_errors import RequestPlace
from llm_gc.backends.ollama.wire import LEAST
from llm_gc.errors import ModelMissing, ServerUnreachable
from llm_gc.values.safe_text import mask


class Lacking(NamedTuple):
    """The models that the server at ``url`` does not have, and those that it would only pass on."""

    url: str
    missing: Sequence[str]
    remote: Sequence[str]


def absent(address: Address, reason: str) -> ServerUnreachable:
    """Report that no Ollama is where it should be."""
    odd = f" ({address.warning})" if address.warning else ""
    return ServerUnreachable(
        f"No Ollama answers at {mask(address.url)} ({address.source}): {reason}{odd}. Start one "
        "with `ollama serve`, or point elsewhere with --host or OLLAMA_HOST."
    )


def lacking(all_lacking: Sequence[Lacking]) -> ModelMissing | None:
    """Name every model that is missing, each with the command that gets it; None where there is none."""
    paragraphs = [words for lack in all_lacking for words in (*_missing(lack), *_remote(lack))]
    return ModelMissing(*paragraphs) if paragraphs else None


def _missing(lack: Lacking) -> Iterator[str]:
    if lack.missing:
        where = mask(lack.url)
        elsewhere = "" if lack.url == OLLAMA.default else f"OLLAMA_HOST={where} "
        yield f"{where} does not have {_listed(lack.missing)}. Get what is missing with:"
        yield from (f"  {elsewhere}ollama pull {model}" for model in lack.missing)


def _remote(lack: Lacking) -> Iterator[str]:
    if lack.remote:
        yield (
            f"{_listed(lack.remote)} would be played by ollama.com, and the conversation would leave "
            f"{mask(lack.url)}. Cast models that run there."
        )


def cannot_chat(place: RequestPlace, capabilities: Sequence[str]) -> str:
    """Report that a model is of another trade."""
    return f"{place} cannot hold a conversation: all it can do is {', '.join(capabilities)}. Cast another model."


def cannot_think(place: RequestPlace) -> str:
    """Report that a model is asked for what it has not learnt."""
    return (
        f"{place} cannot think before it answers, so `think` is not sent to it. "
        "Cast a model that can (`ollama show` lists its capabilities), or take `think` away."
    )


def does_not_know(place: RequestPlace, requests: Sequence[str]) -> str:
    """Return what is not known where an emulator of Ollama does not know some of its requests."""
    lost = {
        "/api/show": "what its models can do and which windows they were trained for",
        "/api/ps": "which models it has loaded, and for how long",
    }
    what = "; ".join(lost[path] for path in requests if path in lost)
    return f"{place} does not know {_listed(requests)}, as an Ollama server does: it is not known {what}"


def always_thinks(place: RequestPlace) -> str:
    """Report that a model cannot be told not to think."""
    return (
        f"{place} always thinks, so `think: false` is sent as `{LEAST}`, the least that it knows. "
        f"Write think: {LEAST}, and let max_tokens leave room for it."
    )


def thinks_for_format(place: RequestPlace, version: str) -> str:
    """Report that a model will think where it is to keep to a format."""
    return (
        f"{place} would drop a `format` where it is told not to think (Ollama {version} does that; a newer one does "
        "not): for structured replies it thinks first. Let max_tokens leave room for that."
    )


def takes_no_level(place: RequestPlace, level: str) -> str:
    """Report that a level of thinking is refused."""
    return f"{place} takes no level of thinking, so `think: {level}` is sent as true. Write think: true."


def beyond_training(place: RequestPlace, asked: int, trained: int) -> str:
    """Report that a model does not get the window that it is asked to have."""
    return (
        f"{place} was trained for a window of {trained:,} tokens and gets no more, though num_ctx asks for {asked:,}: "
        f"what fits is reckoned from too much. Write num_ctx: {trained}, or cast a model with a larger window."
    )


def too_narrow(tokens: int, window: int, trained: int | None) -> str:
    """Report that a conversation can need more of a window than its model gets where nobody says how much."""
    words = f"gets a window of {window:,} tokens, and the conversation can need {tokens:,}"
    if trained and trained <= window:
        return f"{words}: it was trained for no more. Let its roles see less, or cast another model."
    enough = 1 << (tokens - 1).bit_length()
    enough = min(enough, trained or enough)
    return f"{words}. Write num_ctx: {enough} if there is memory for it, or let its roles see less."


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
