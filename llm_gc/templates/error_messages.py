"""Errors of templates in words for authors: what failed, and which part of the template it was."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import islice

from jinja2 import nodes

from llm_gc.errors import TemplateError
from llm_gc.templates.lexer import Token, column
from llm_gc.templates.name_finder import moved

_WORDS = {  # Jinja's names for its own marks
    "end of print statement": "}}",
    "begin of print statement": "{{",
    "end of statement block": "%}",
    "begin of statement block": "{%",
    "end of template": "the end",
}

_PLAIN = (  # what Jinja says, and what we say
    (r"^Unexpected 'the end'\. .*?tags: (.+?)\. .* is ('\w+')",
     r"the template ends, and \2 is still open; \1 is missing"),
    (r"^Encountered unknown tag ('\w+')\. .*?tags: (.+?)\. .* is ('\w+')",
     r"the tag \1 is not allowed here; \3 is still open, and \2 was expected"),
    (r"^Encountered unknown tag ('\w+')", r"there is no tag \1"),
    (r"^expected token (.+), got 'the end'$", r"\1 is missing at the end"),
    (r"^unexpected 'the end', expected ('.+?')\.?$", r"\1 is missing at the end"),
    (r"^expected token 'name', got (.+)$", r"\1 is not allowed here; a name was expected"),
    (r"^expected token (.+), got (.+)$", r"\2 is not allowed here; \1 was expected"),
    (r"^Expected an expression, got 'the end'$", r"an expression was expected at the end"),
    (r"^Expected an expression, got (.+)$", r"an expression was expected before \1"),
    (r"^unexpected 'the end'$", r"something is missing at the end"),
    (r"^unexpected char (\"'\"|'\"')", r"the quote that opens here is never closed"),
    (r"^unexpected (?:char )?('.+?')(?: at [0-9]+)?(?:, expected .*)?$", r"\1 is not allowed here"),
    (r"^Missing end of comment tag",
     r"the comment that {# opens here is never closed by #}; write {{ '{#' }} for the mark itself"),
    (r"^Exceeds the limit .* digits", r"a number has too many digits"),
    (r"Numerical result out of range", r"the number would be too large"),
    (r"^Range too big", r"a range has at most 100,000 items"),
    (r"^integer (?:division or )?modulo by zero$", r"division by zero"),
    (r"^No (first|last) item, sequence was empty", r"there is no \1 item in what is empty"),
    (r"^No aggregated item, sequence was empty", r"there is nothing in what is empty"),
    (r"^No (filter|test) named (.+)\.$", r"there is no \1 \2"),
    (r"^invalid literal for int\(\) with base \d+: (.+)$", r"\1 is no whole number"),
    (r"^could not convert string to float: (.+)$", r"\1 is no number"),
    (r"^slice indices must be integers", r"the ends of a slice are whole numbers"),
    (r"^slice step cannot be zero$", r"the step of a slice cannot be 0"),
    (r"^not all arguments converted", r"the text has no place for all that is to be put into it"),
    (r"^not enough arguments for format string$", r"the text has more places than there is to be put into it"),
    (r"^Can only get item pairs from a mapping", r"only a map has pairs of keys and values"),
    (r"^argument must be iterable$", r"this is no list"),
    (r"^(?:sync_)?(?:do_|test_)?(\w+)\(\) missing \d+ required .*$", r"'\1' is given too little in its parentheses"),
    (r"^(\w+) expected (?:at least )?(\d+) arguments?, got (?:0|(?!\2)[01])$",
     r"'\1' is given too little in its parentheses"),
    (r"^(?:sync_)?(?:do_|test_)?(\w+)(?:\(\) takes (?:.* but|exactly) .*| expected .* arguments?, got \d+)$",
     r"'\1' is given too much in its parentheses"),
    (r"^(?:sync_)?(?:do_|test_)?(\w+)\(\) got an unexpected keyword argument ('\w+')$",
     r"'\1' has no use for \2 in its parentheses"),
)  # fmt: skip

_OF_TYPES = (  # what Python says, naming types, and what we say
    (r"^unsupported operand type\(s\) for (\S+)(?: or pow\(\))?: '(\w+)' and '(\w+)'$",
     "{} is not allowed between {} and {}"),
    (r"^can only concatenate (\w+) \(not \"(\w+)\"\) to \w+$", "+ is not allowed between {} and {}"),
    (r"^'(\S+)' not supported between instances of '(\w+)' and '(\w+)'$", "{} cannot compare {} and {}"),
    (r"^(?:argument of type )?'(\w+)' (?:object )?is not iterable$", "{} is no list"),
    (r"^object of type '(\w+)' has no len\(\)$", "{} has no length"),
    (r"^bad operand type for unary (\S): '(\w+)'$", "{} is not allowed before {}"),
    (r"^can't multiply sequence by non-int of type '(\w+)'$", "* cannot repeat what is before it {} times"),
    (r"^bad operand type for abs\(\): '(\w+)'$", "{} is no number"),
    (r"^(?:int|float)\(\) argument must be .*, not '(\w+)'$", "{} is no number"),
    (r"^'(\w+)' object cannot be interpreted as an integer$", "{} is no whole number"),
    (r"^type (\w+) doesn't define __round__ method$", "{} cannot be rounded"),
    (r"^'(\w+)' object is not reversible$", "{} is no list"),
    (r"^'(\w+)' object is not callable$", "{} cannot be called"),
    (r"^'(\w+)' object is not subscriptable$", "{} has no items"),
    (r"^'(\w+)' object has no attribute 'items'$", "{} is no map"),
    (r"^'(\w+)' object has no attribute '\w+'$", "{} is not allowed here"),
    (r"^'in <string>' requires string as left operand, not (\w+)$", "{} cannot be in a text"),
    (r"^(\w+) object has no element .*$", "{} has no such item"),
    (r"^unhashable type: '(\w+)'$", "{} can be no key"),
    (r"^(%\w) format: a (?:real )?number is required, not (\w+)$", "{} needs a number, and is given {}"),
)  # fmt: skip

_TYPES = {
    "NoneType": "nothing", "bool": "a truth value", "int": "a number", "float": "a number", "str": "a text",
    "list": "a list", "tuple": "a list", "FrozenList": "a list", "dict": "a map", "FrozenDict": "a map",
    "Message": "a message", "slice": "a slice",
}  # fmt: skip


def plain(message: str) -> str:
    """Put what Jinja or Python says into words for authors."""
    for name, mark in _WORDS.items():
        message = message.replace(f"'{name}'", repr(mark)).replace(name, repr(mark))
    for pattern, words in _PLAIN:
        found = re.search(pattern, message, re.DOTALL)
        if found:
            return found.expand(words)
    for pattern, words in _OF_TYPES:
        found = re.search(pattern, message)
        if found:
            return words.format(*(_TYPES.get(word, word) for word in found.groups()))
    return message


MOST, DEEPEST = 200, 20
"""So many parts are looked at, and so far into each of them: somebody waits."""

Failure = Callable[[nodes.Expr], str]
"""Works an expression out by itself; gives how it fails, empty where it does not."""


def culprits(tree: nodes.Template, error: TemplateError, failure: Failure) -> Iterator[TemplateError]:
    """Yield every failure that rendering a template comes by for sure, else the first that says what ``error`` says.

    Where the parts do not show it, as in a loop over names of its own, that is the error itself.
    """
    failing = ((part, said) for part in islice(_parts(tree), MOST) if (said := failure(part)))
    sure, told, alike = set(map(id, _sure(tree))), 0, None
    for part, said in failing:
        if id(part) in sure:
            told += 1
            yield _at(part, said, error.file, failure)
        elif said == error.message:
            alike = alike or part
    if not told:
        yield _at(alike, error.message, error.file, failure) if alike else error


def _sure(tree: nodes.Template) -> Iterator[nodes.Node]:
    """Yield what a template always comes by, and needs the value of."""
    for node in tree.body:
        match node:
            case nodes.Output():
                yield from node.nodes
            case nodes.If():
                yield node.test
            case nodes.For():
                yield node.iter


def _parts(tree: nodes.Template) -> Iterator[nodes.Expr]:
    """Yield the expressions that are in a template, without those inside them."""
    waiting: list[nodes.Node] = [tree]
    while waiting:
        node = waiting.pop()
        if not isinstance(node, nodes.Expr):
            waiting += reversed(list(node.iter_child_nodes()))
        elif not isinstance(node, (nodes.Const, nodes.Name, nodes.TemplateData)):
            yield node


def _at(part: nodes.Expr, said: str, file: str, failure: Failure) -> TemplateError:
    """Return a failure at the innermost expression that fails as all of it does."""
    for _ in range(DEEPEST):
        inner = (one for one in part.iter_child_nodes() if isinstance(one, nodes.Expr))
        smaller = next((one for one in inner if failure(one) == said), None)
        if smaller is None:
            break
        part = smaller
    spot = _spot(part)
    return TemplateError(said, file, int(spot), column=column(spot))


def _spot(node: nodes.Expr) -> int:
    """Return the token that fails: a filter's name, an attribute, else the first token."""
    match node:
        case nodes.Filter():
            return node.lineno
        case nodes.Getattr():
            return moved(node.lineno, 1)
    spots = [one.lineno for one in (node, *node.find_all(nodes.Node)) if isinstance(one.lineno, Token)]
    return min(spots, key=lambda spot: (int(spot), spot.column), default=node.lineno)
