"""What a template or an expression reads: names, each with the attributes that it goes on to, and what for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from llm_gc.conversation import Files
from llm_gc.drivers.explore.hinges import hinges
from llm_gc.errors import TemplateError
from llm_gc.pipeline import Pipeline
from llm_gc.templates import Templates
from llm_gc.texts import TextKind, texts

Chain = tuple[str, ...]

PREVIOUS = "<previous>"
"""Stands for the role that spoke last, by which a ``choose`` goes."""

HEARD = "<heard>"
"""Stands for the newest message that was heard, which is a scene's result where it names none."""

JOINED = "<joined>"
"""Stands for the last message of each branch of a block, of which ``as`` makes a list."""

_WORD = re.compile(r"[A-Za-z_]\w*")


class Read(NamedTuple):
    """A value that is read: ``("last", "data", "approved")``.

    It ``decides`` where the course of the conversation may hang on it; else it is only shown: in a prompt, an
    instruction, a result.
    """

    chain: Chain
    decides: bool


Live = frozenset[Read]
"""All that may be read from some point on."""

NOTHING: Live = frozenset()


def reads(templates: Templates, text: object, kind: TextKind, *, decides: bool) -> Live:
    """Give what a text reads; what is no text, or cannot be compiled, reads nothing.

    An item that is no fixed text (``items[n]``) ends the chain: all of what stands before it is read. Of what is only
    shown, data decide on which a condition in it hangs: one of its ways may fail.
    """
    if not isinstance(text, str):
        return NOTHING
    try:
        compiled = templates.expression(text) if kind == "expression" else templates.template(text)
    except TemplateError:
        return NOTHING  # whoever renders it says so
    chains = [_chain(spotted.word for spotted in use.words) for use in compiled.uses]
    on = frozenset() if decides else hinges(templates.get(text, text), kind)
    return frozenset(Read(chain, decides or ("data" in chain and chain[-1] in on)) for chain in chains)


def _chain(words: Iterable[str]) -> Chain:
    chain: list[str] = []
    for word in words:
        if not word:
            break
        chain.append(word)
    return tuple(chain)


def without(live: Live, *names: str | None) -> Live:
    """Give what is left to read where these names are set anew; a dotted one is a chain's beginning."""
    fronts = [tuple(name.split(".")) for name in names if name]
    return frozenset(read for read in live if not any(read.chain[: len(front)] == front for front in fronts))


def about(live: Live, *names: str | None) -> Live:
    """Give what is read of these names."""
    return frozenset(read for read in live if read.chain[0] in names)


def decided(live: Live, *names: str | None) -> bool:
    """Tell whether something may hang on one of these names."""
    return any(read.decides for read in about(live, *names))


@cache
def words(text: str) -> frozenset[str]:
    """Give all that looks like a word in a text, words in quotes too: more than it reads, and never less."""
    return frozenset(_WORD.findall(text))


def all_words(pipeline: Pipeline, files: Files) -> frozenset[str]:
    """Give all words in all texts, those of prompt files and of scenes' pipelines too."""
    found = [words(text.text) for text in texts(pipeline)] + [words(text) for text in files.prompts.values()]
    found += [all_words(scene, inner) for scene, inner in files.scenes.values()]
    return frozenset().union(*found)
