"""Values checked against JSON Schemas (2020-12), with patterns in linear time and a bound on all the work.

jsonschema does the checking. Some of its keywords are replaced here: those that search with Python's backtracking
engine (``pattern`` and what reads ``patternProperties``), those that compare every item with every other, and those
that report in the order of a set, which is another one in each process. All keywords are counted, because alternatives
in a schema that refers to itself double the work with each level of the data. The bound is a number of checks, never
seconds: whether a reply fits must not depend on the machine.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from functools import cache, partial
from typing import Any

from llm_gc.values import regex

MAX_CHECKS = 500_000
"""The most keywords that one value is held against, all its parts together; an error counts as several."""

ERROR = 20
"""What an error costs besides: it is kept."""

CHARACTERS = 100
"""So many characters of an error's message cost as much as a check."""

_DEEP = frozenset((
    "$dynamicRef", "$ref", "additionalProperties", "allOf", "else", "if", "items", "patternProperties", "prefixItems",
    "properties", "propertyNames", "then",
))  # fmt: skip
"""Keywords that pass on what the schemas in them say. They are not counted: it would cost a stack frame for each level,
and each schema in them is."""

Keyword = Callable[[Any, Any, Any, Any], Iterable[Any] | None]


class TooManyChecks(ValueError):
    """A value needs more checks than are allowed."""


class _Budget:
    """The checks that are left."""

    def __init__(self) -> None:
        """Begin with all of them."""
        self.left = MAX_CHECKS

    def charge(self, checks: int) -> None:
        """Count checks.

        Raises:
            TooManyChecks: where they are more than are left.

        """
        self.left -= checks
        if self.left < 0:
            raise TooManyChecks(f"it takes more than {MAX_CHECKS:,} checks")


_budget: ContextVar[_Budget] = ContextVar("checks")


def errors(value: Any, schema: Any, keywords: Mapping[str, Keyword] | None = None) -> list[Any]:
    """Return the errors of jsonschema about a value; ``keywords`` are checked in another way than usual.

    Raises:
        TooManyChecks: where it takes too many.
        RegexError: where a pattern of the schema cannot be used, or a text is too long for it.
        Exception: whatever jsonschema raises for a schema that leads nowhere or in a circle.

    """
    extra = tuple(sorted((keywords or {}).items()))
    token = _budget.set(_Budget())
    try:
        return list(_validator(extra)(schema, registry=_nothing_else()).iter_errors(value))
    finally:
        _budget.reset(token)


def best(found: Iterable[Any]) -> Any:
    """Return the error that says most, None where there is none."""
    from jsonschema.exceptions import best_match

    return best_match(found)


@cache
def _nothing_else() -> Any:
    """Return a registry that gets nothing from a network or a disk, whatever a schema refers to."""
    from referencing import Registry

    return Registry()


@cache
def _validator(extra: tuple[tuple[str, Keyword], ...]) -> Any:
    from jsonschema import Draft202012Validator, validators  # costs as much to import as all else: only where needed

    keywords: dict[str, Keyword] = {**Draft202012Validator.VALIDATORS, **_OWN, **dict(extra)}
    counted = {name: partial(_counted, check) for name, check in keywords.items() if name not in _DEEP}
    extend: Any = validators.extend
    validator = extend(Draft202012Validator, {**keywords, **counted})

    def evolve(self: Any, **changes: Any) -> Any:
        """Return another of this class: jsonschema would take the class that a ``$schema`` inside names."""
        kept = {"schema": self.schema, "_resolver": self._resolver, "registry": self._registry}
        _budget.get().charge(1)
        return validator(**{**kept, **changes})

    validator.evolve = evolve
    return validator


def _counted(check: Keyword, validator: Any, wanted: Any, value: Any, schema: Any) -> Iterator[Any]:
    budget = _budget.get()
    budget.charge(1)
    for error in check(validator, wanted, value, schema) or ():
        budget.charge(ERROR + len(error.message) // CHARACTERS)
        yield error


def _error(message: str) -> Any:
    from jsonschema import ValidationError

    return ValidationError(message)


def _pattern(_validator: Any, pattern: str, value: Any, _schema: Any) -> Iterator[Any]:
    if isinstance(value, str) and not _matches(pattern, value):
        yield _error(f"{value!r} does not match {pattern!r}")


def _pattern_properties(validator: Any, patterns: Mapping[str, Any], value: Any, _schema: Any) -> Iterator[Any]:
    for pattern, schema in patterns.items() if isinstance(value, dict) else ():
        for name in [name for name in value if _matches(pattern, name)]:
            yield from validator.descend(value[name], schema, path=name, schema_path=pattern)


def _additional_properties(validator: Any, wanted: Any, value: Any, schema: Any) -> Iterator[Any]:
    if not isinstance(value, dict):
        return
    patterns = schema.get("patternProperties", {})
    extra = [name for name in value if name not in schema.get("properties", {}) and not _any_matches(patterns, name)]
    if isinstance(wanted, dict):
        for name in extra:
            yield from validator.descend(value[name], wanted, path=name)
    elif not wanted and extra and patterns:
        does, listed = "does" if len(extra) == 1 else "do", ", ".join(map(repr, sorted(patterns)))
        yield _error(f"{', '.join(map(repr, sorted(extra)))} {does} not match any of the regexes: {listed}")
    elif not wanted and extra:
        yield _error(f"Additional properties are not allowed ({_unexpected(sorted(extra))})")


def _unique_items(_validator: Any, wanted: Any, value: Any, _schema: Any) -> Iterator[Any]:
    if wanted and isinstance(value, list):
        keys = sorted(map(_key, value))
        if any(one == other for one, other in itertools.pairwise(keys)):
            yield _error(f"{value!r} has non-unique elements")


def _unevaluated_items(validator: Any, _wanted: Any, value: Any, schema: Any) -> Iterator[Any]:
    if isinstance(value, list):
        evaluated = set(_evaluated(validator, value, schema, _items_of))
        rest = [item for index, item in enumerate(value) if index not in evaluated]
        if rest:
            yield _error(f"Unevaluated items are not allowed ({_unexpected(rest)})")


def _unevaluated_properties(validator: Any, wanted: Any, value: Any, schema: Any) -> Iterator[Any]:
    if not isinstance(value, dict):
        return
    evaluated = set(_evaluated(validator, value, schema, _properties_of))
    rest = [name for name in value if name not in evaluated and not _fits(validator, value[name], wanted)]
    if rest and wanted is False:
        yield _error(f"Unevaluated properties are not allowed ({_unexpected(sorted(rest))})")
    elif rest:
        verb = "was" if len(rest) == 1 else "were"
        names = ", ".join(map(repr, rest))
        yield _error(
            f"Unevaluated properties are not valid under the given schema ({names} {verb} unevaluated and invalid)"
        )


_OWN: dict[str, Keyword] = {
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "uniqueItems": _unique_items,
    "unevaluatedItems": _unevaluated_items,
    "unevaluatedProperties": _unevaluated_properties,
}


def _matches(pattern: str, text: str) -> bool:
    _budget.get().charge(1 + len(text) // CHARACTERS)
    return regex.compile(pattern).search(text) is not None


def _any_matches(patterns: Iterable[str], text: str) -> bool:
    return any(_matches(pattern, text) for pattern in patterns)


def _unexpected(extra: Sequence[Any]) -> str:
    return f"{', '.join(map(repr, extra))} {'was' if len(extra) == 1 else 'were'} unexpected"


def _key(value: Any) -> tuple[Any, ...]:
    """Return what is equal for equal values of JSON, and can be sorted: hashes of numbers can be made to collide."""
    _budget.get().charge(1)
    if value is None or isinstance(value, bool):
        return 0, repr(value)
    if isinstance(value, (int, float)):
        return 1, value
    if isinstance(value, str):
        return 2, value
    if isinstance(value, list):
        return 3, tuple(map(_key, value))
    return 4, tuple(sorted((name, _key(inner)) for name, inner in value.items()))


def _fits(validator: Any, value: Any, schema: Any) -> bool:
    return next(iter(validator.descend(value, schema)), None) is None


def _evaluated(validator: Any, value: Any, schema: Any, own: Callable[[Any, Any, Any], Iterable[Any]]) -> Iterator[Any]:
    """Return the items or properties of a value that a schema speaks of, alone or by another about the same value."""
    if not isinstance(schema, Mapping):
        return
    _budget.get().charge(1)
    yield from own(validator, value, schema)
    for key in schema.keys() & {"$ref", "$dynamicRef"}:
        found = validator._resolver.lookup(schema[key])  # noqa: SLF001  # as jsonschema's own keywords do
        there = validator.evolve(schema=found.contents, _resolver=found.resolver)
        yield from _evaluated(there, value, found.contents, own)
    for inner in [inner for key in ("allOf", "oneOf", "anyOf") for inner in schema.get(key, ())]:
        if _fits(validator, value, inner):
            yield from _evaluated(validator, value, inner, own)
    if "if" in schema:
        holds = _fits(validator, value, schema["if"])
        for key in ("if", "then") if holds else ("else",):
            yield from _evaluated(validator, value, schema.get(key), own)


def _items_of(validator: Any, value: list[Any], schema: Any) -> Iterator[int]:
    if "items" in schema:
        yield from range(len(value))
    yield from range(len(schema.get("prefixItems", ())))
    for key in schema.keys() & {"contains", "unevaluatedItems"}:
        yield from (index for index, item in enumerate(value) if _fits(validator, item, schema[key]))


def _properties_of(validator: Any, value: dict[str, Any], schema: Any) -> Iterator[str]:
    yield from schema.get("properties", {}).keys() & value.keys()
    for key in schema.keys() & {"additionalProperties", "unevaluatedProperties"}:
        yield from (name for name, inner in value.items() if _fits(validator, inner, schema[key]))
    yield from (name for name in value if _any_matches(schema.get("patternProperties", ()), name))
    for name, inner in schema.get("dependentSchemas", {}).items():
        if name in value:
            yield from _evaluated(validator, value, inner, _properties_of)
