"""A structured reply as a form for a person: its blanks, and what is written in them read as data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llm_gc.conversation.structured import parse

_TYPES = {"string": "", "boolean": "yes or no", "integer": "a whole number", "number": "a number"}
_SAID = {"yes": True, "y": True, "true": True, "no": False, "n": False, "false": False}
_PLAIN = {"type", "properties", "required", "additionalProperties", "title", "description", "default", "$schema"}
_MOST_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Blank:
    """One thing to fill in: a property of a structured reply or, without a name, all that is answered.

    ``schema`` is none where any text will do.
    """

    name: str = ""
    schema: Any = None
    required: bool = True

    @property
    def choices(self) -> tuple[Any, ...]:
        """What can be chosen from; nothing where it is no choice."""
        about = self._about
        return (about["const"],) if "const" in about else tuple(about.get("enum", ()))

    @property
    def hint(self) -> str:
        """How to fill it in, in a few words; empty where any text will do."""
        if self.choices:
            return "number or name"
        return "" if self.schema is None else _TYPES.get(str(self._about.get("type")), "JSON")

    @property
    def about(self) -> str:
        """What the author of the format says of it."""
        return str(self._about.get("description", ""))

    @property
    def spare(self) -> tuple[Any, ...]:
        """What stands in for it when it is left empty: its default, or nothing."""
        return (self._about["default"],) if self.name and "default" in self._about else ()

    def read(self, text: str) -> Any:
        """Read what is written there.

        Raises:
            ValueError: saying why it will not do.

        """
        if self.schema is None:
            return text
        value = self._value(text)
        _, wrong = parse(json.dumps(value), self.schema)
        if wrong is not None:
            raise ValueError(wrong.removeprefix("at $: "))
        return value

    @property
    def _about(self) -> Mapping[str, Any]:
        return self.schema if isinstance(self.schema, Mapping) else {}

    def _value(self, text: str) -> Any:
        if self.choices:
            return _chosen(text, self.choices)
        type_ = str(self._about.get("type"))
        if type_ == "string":
            return text
        if type_ == "boolean" and text.casefold() in _SAID:
            return _SAID[text.casefold()]
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            expected = _TYPES.get(type_)
            why = f"{text!r} is not {expected}" if expected else f"it is not valid JSON: {error}"
            raise ValueError(why) from error


def blanks(schema: Any) -> tuple[Blank, ...]:
    """Give what is to be filled in: each property of an object by itself, anything else as a whole."""
    if not isinstance(schema, Mapping) or not schema.get("properties") or not set(schema) <= _PLAIN:
        return (Blank(schema=schema),)
    if '"$ref"' in json.dumps(schema):  # what it leads to stands outside the property
        return (Blank(schema=schema),)
    required = schema.get("required", ())
    return tuple(Blank(name, about, name in required) for name, about in schema["properties"].items())


def read_at_once(text: str, schema: Any) -> str:
    """Read a whole reply from one text: its JSON or, where the form has but one blank, what stands in that.

    Raises:
        ValueError: saying why it will not do.

    """
    _, wrong = parse(text, schema)
    if wrong is None:
        return text
    only, *more = blanks(schema)
    if more or not only.name:
        raise ValueError(wrong)
    return json.dumps({only.name: only.read(text)}, ensure_ascii=False)


def word(choice: Any) -> str:
    """Give a choice as it is read and written."""
    return choice if isinstance(choice, str) else json.dumps(choice, ensure_ascii=False)


def _chosen(text: str, choices: tuple[Any, ...]) -> Any:
    """Give the choice of that name, else the one of that number, counted from 1."""
    words = [word(choice) for choice in choices]
    if text in words:
        return choices[words.index(text)]
    folded = [each.casefold() for each in words]
    if folded.count(text.casefold()) == 1:
        return choices[folded.index(text.casefold())]
    if text.isdecimal() and len(text) <= _MOST_DIGITS and 1 <= int(text) <= len(choices):
        return choices[int(text) - 1]
    raise ValueError(f"{text!r} is none of {', '.join(words)}")
