"""What templates and conditions read: names, attributes, and the words that they compare with."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Mapping
from functools import cache, lru_cache
from typing import NamedTuple

from jinja2 import TemplateSyntaxError, nodes

from llm_gc.core import Files
from llm_gc.errors import TemplateError
from llm_gc.language.pipeline import Pipeline
from llm_gc.language.texts import TextKind, texts
from llm_gc.model_checker.list_readers import MANNERS, order_free
from llm_gc.templates import Templates
from llm_gc.templates.parsing import reader


def parsed(source: str, kind: TextKind) -> nodes.Template | None:
    """Read a text; None where it cannot be read, which whoever renders it says."""
    try:
        return reader().parse(f"{{{{ {source} }}}}" if kind == "expression" else source)
    except TemplateSyntaxError:
        return None


@lru_cache(maxsize=1024)
def condition_texts(source: str, kind: TextKind) -> frozenset[str]:
    """Return the words in a text's conditions, comparisons and items, which decide which way it takes."""
    tree = parsed(source, kind)
    if tree is None:
        return frozenset()
    found: list[nodes.Node] = [one.test for one in tree.find_all((nodes.If, nodes.CondExpr))]  # type: ignore[attr-defined]  # both have a test
    found += [*tree.find_all((nodes.Compare, nodes.Test))]
    found += [one.arg for one in tree.find_all(nodes.Getitem) if not isinstance(one.arg, (nodes.Const, nodes.Slice))]
    return frozenset(word for one in found for word in _words(one))


def compares_text(tree: nodes.Template, kept: Container[str]) -> bool:
    """Return whether a text compares or computes with what a message says as a whole; ``kept`` names some of them.

    Whether there is one at all may be asked without that.
    """
    inside = tree.find_all((nodes.Filter, nodes.Compare, nodes.Operand, nodes.Test))
    asked = (one for one in inside if not isinstance(one, nodes.Test) or one.args)
    return any(_is_message(child, kept) for one in asked for child in one.iter_child_nodes())


def _is_message(node: nodes.Node, kept: Container[str]) -> bool:
    if isinstance(node, nodes.Getattr):
        return isinstance(node.node, nodes.Name) and node.node.name == "said"
    return isinstance(node, nodes.Name) and (node.name == "last" or node.name in kept)


def _words(node: nodes.Node) -> Iterator[str]:
    for one in [node, *node.find_all((nodes.Name, nodes.Getattr, nodes.Const))]:
        if isinstance(one, nodes.Name):
            yield one.name
        elif isinstance(one, nodes.Getattr):
            yield one.attr
        elif isinstance(one, nodes.Const) and isinstance(one.value, str):
            yield from one.value.split(".")


Chain = tuple[str, ...]

PREVIOUS = "<previous>"
"""Stands for the role that spoke last, by which a ``choose`` goes."""

HEARD = "<heard>"
"""Stands for the newest message that was heard, which is a scene's result where it names none."""

JOINED = "<joined>"
"""Stands for the last message of each branch of a block, of which ``as`` makes a list."""

BLOCKS = "<blocks>"
"""Stands for who spoke in which branch so far, by which a later block numbers the copies of a role."""

_WORD = re.compile(r"[A-Za-z_]\w*")


class Read(NamedTuple):
    """A value that is read: ``("last", "data", "approved")``.

    It ``decides`` where the course of the conversation may depend on it; else it is only shown: in a prompt, an
    instruction, a result.
    """

    chain: Chain
    decides: bool


Live = frozenset[Read]
"""All that may be read from some point on."""

NOTHING: Live = frozenset()


def reads(
    templates: Templates, text: object, kind: TextKind, *, decides: bool, is_truth: bool = False, manner: str = ""
) -> Live:
    """Return what a text reads; what is no text, or cannot be compiled, reads nothing.

    An item that is no fixed text (``items[n]``) ends the chain: all of what is before it is read. Of what is only
    shown, data decide on which a condition in it hangs: one of its ways may fail. ``is_truth`` tells that only the
    truth of the text counts, ``manner`` in which manner (see ``list_readers``) the list is read that it gives.
    """
    if not isinstance(text, str):
        return NOTHING
    try:
        compiled = templates.expression(text) if kind == "expression" else templates.template(text)
    except TemplateError:
        return NOTHING  # whoever renders it says so
    source = templates.get(text, text)
    free = _order_free(source, kind, is_truth=is_truth, manner=manner)
    chains = [_chain(spotted.word for spotted in use.words) for use in compiled.uses if use.name not in free]
    chains += [(name, *words) for name in free.keys() & compiled.names for words in free[name]]
    on = frozenset() if decides else condition_texts(source, kind)
    return frozenset(Read(chain, decides or ("data" in chain and chain[-1] in on)) for chain in chains)


@lru_cache(maxsize=1024)
def _order_free(source: str, kind: TextKind, *, is_truth: bool, manner: str) -> Mapping[str, set[Chain]]:
    """Return the lists of which a text reads no order, with what it reads of them; not the names of messages."""
    tree = parsed(source, kind)
    if tree is None:
        return {}
    found = order_free(tree, is_truth=is_truth, manner=manner)
    return {name: chains for name, chains in found.items() if name not in ("last", "said")}


def is_list_read(chain: Chain) -> bool:
    """Return whether a chain is that of a list of which the order is not read."""
    return len(chain) > 1 and chain[1] in MANNERS


def _chain(words: Iterable[str]) -> Chain:
    chain: list[str] = []
    for word in words:
        if not word:
            break
        chain.append(word)
    return tuple(chain)


def without(live: Live, *names: str | None) -> Live:
    """Return what is left to read where these names are set again; a dotted one is a chain's beginning."""
    fronts = [tuple(name.split(".")) for name in names if name]
    return frozenset(read for read in live if not any(read.chain[: len(front)] == front for front in fronts))


def about(live: Live, *names: str | None) -> Live:
    """Return what is read of these names."""
    return frozenset(read for read in live if read.chain[0] in names)


def decided(live: Live, *names: str | None) -> bool:
    """Return whether something may depend on one of these names."""
    return any(read.decides for read in about(live, *names))


@cache
def words(text: str) -> frozenset[str]:
    """Return all that looks like a word in a text, words in quotes too: more than it reads, and never less."""
    return frozenset(_WORD.findall(text))


def all_words(pipeline: Pipeline, files: Files) -> frozenset[str]:
    """Return all words in all texts, those of prompt files and of scenes' pipelines too."""
    found = [words(text.text) for text in texts(pipeline)] + [words(text) for text in files.prompts.values()]
    found += [all_words(scene, inner) for scene, inner in files.scenes.values()]
    return frozenset().union(*found)
