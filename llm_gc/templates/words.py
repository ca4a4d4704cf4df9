"""What Jinja and Python say of a template that cannot be read or rendered, in words for authors."""

from __future__ import annotations

import re

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
     r"the tag \1 cannot stand here; \3 is still open, and \2 was expected"),
    (r"^Encountered unknown tag ('\w+')", r"there is no tag \1"),
    (r"^expected token (.+), got 'the end'$", r"\1 is missing at the end"),
    (r"^unexpected 'the end', expected ('.+?')\.?$", r"\1 is missing at the end"),
    (r"^expected token 'name', got (.+)$", r"\1 cannot stand here; a name was expected"),
    (r"^expected token (.+), got (.+)$", r"\2 cannot stand here; \1 was expected"),
    (r"^Expected an expression, got 'the end'$", r"an expression was expected at the end"),
    (r"^Expected an expression, got (.+)$", r"an expression was expected before \1"),
    (r"^unexpected 'the end'$", r"something is missing at the end"),
    (r"^unexpected char (\"'\"|'\"')", r"the quote that opens here is never closed"),
    (r"^unexpected (?:char )?('.+?')(?: at [0-9]+)?(?:, expected .*)?$", r"\1 cannot stand here"),
    (r"^Exceeds the limit .* digits", r"a number has too many digits"),
    (r"Numerical result out of range", r"the number would be too large"),
    (r"^Range too big", r"a range has at most 100,000 items"),
    (r"^integer (?:division or )?modulo by zero$", r"division by zero"),
)  # fmt: skip

_OF_TYPES = (  # what Python says, naming types, and what we say
    (r"^unsupported operand type\(s\) for (\S+)(?: or pow\(\))?: '(\w+)' and '(\w+)'$",
     "{} cannot stand between {} and {}"),
    (r"^can only concatenate (\w+) \(not \"(\w+)\"\) to \w+$", "+ cannot stand between {} and {}"),
    (r"^'(\S+)' not supported between instances of '(\w+)' and '(\w+)'$", "{} cannot compare {} and {}"),
    (r"^(?:argument of type )?'(\w+)' (?:object )?is not iterable$", "{} is no list"),
    (r"^object of type '(\w+)' has no len\(\)$", "{} has no length"),
)  # fmt: skip

_TYPES = {
    "NoneType": "nothing", "bool": "a truth value", "int": "a number", "float": "a number", "str": "a text",
    "list": "a list", "tuple": "a list", "FrozenList": "a list", "dict": "a map", "FrozenDict": "a map",
    "Message": "a message",
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
