"""The tables of the manuals, from the models: ``python -m tools.manual [FILE...]`` writes them into docs/*.md.

A table is between ``<!-- generated: NAME -->`` and ``<!-- end -->``. NAME is a model (``Role``), several of them
(``Say, Turn``), ``map`` (all keys of a pipeline at a glance), ``steps`` (all step kinds), ``exit codes`` or a record of
a transcript (``TurnRecord``). The table of a model has the keys that it declares itself; those that it inherits are
in the table of its base.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from llm_gc.analysis.document_schemas import REF, transcript_schema
from llm_gc.errors import EXIT_CODES
from llm_gc.language.base import NAME
from llm_gc.language.pipeline import Pipeline
from llm_gc.language.steps import KINDS, Step, Strict
from llm_gc.values.units import PATTERN

PLACE = re.compile(r"(<!-- generated: (?P<name>[^>]+?) -->\n).*?(<!-- end -->)", re.DOTALL)

_WORDS = {"integer": "whole number", "number": "number", "string": "text", "array": "list", "object": "map"}
_PATTERNS = {PATTERN: "duration", NAME: "name", r"\.json$": "file"}


def rewritten(text: str) -> str:
    """Return a manual with every table in it made again.

    Raises:
        KeyError: for a table of that name, where there is none.

    """
    return PLACE.sub(lambda found: f"{found[1]}\n{table(found['name'])}\n{found[3]}", text)


def table(name: str) -> str:
    """Return one table."""
    match name:
        case "map":
            return _lines(("Key", "What stands below it"), map(_top_level, keys(Pipeline)))
        case "exit codes":
            return _lines(("Exit code", "Meaning"), ((str(code), meaning) for code, meaning in EXIT_CODES.items()))
        case "steps":
            return _lines(("Step", "What it does", "Its other keys"), map(_kind, KINDS.values()))
    if name in (known := records()):
        return _lines(("Field", "What it holds", "Meaning"), _fields(known[name]))
    rows = (row for one in name.split(", ") for row in _rows(models()[one]))
    return _lines(("Key", "What it expects", "Default", "Meaning"), rows)


def models() -> dict[str, type[BaseModel]]:
    """Return every model that a part of a pipeline is read as, by its name."""
    found: dict[str, type[BaseModel]] = {}
    waiting: list[type[BaseModel]] = [Strict]
    while waiting:
        more = waiting.pop().__subclasses__()
        found |= {model.__name__: model for model in more if model.__module__.startswith("llm_gc.")}
        waiting += more
    return found


def records() -> dict[str, Mapping[str, Any]]:
    """Return the JSON Schema of every record in a transcript, by the record's name."""
    schema = transcript_schema()
    return {"Transcript": schema, **schema["$defs"]}


def keys(model: type[BaseModel], *, inherited: bool = True) -> dict[str, FieldInfo]:
    """Return the keys of a model, as they are written; those that it declares itself where not ``inherited``."""
    bases = () if inherited else model.__mro__[1:]
    known = {name for base in bases if issubclass(base, BaseModel) for name in base.model_fields}
    return {field.alias or name: field for name, field in model.model_fields.items() if name not in known}


def expects(node: Mapping[str, Any]) -> list[str]:
    """Return what a JSON Schema lets are there, as alternatives; marked templates and expressions are called that."""
    mark = node.get("x-llm-gc")
    if "anyOf" in node:
        return list(dict.fromkeys(word for branch in node["anyOf"] for word in expects(branch)))
    if "enum" in node or "const" in node:
        return [f"`{value}`" for value in node.get("enum", [node.get("const")])]
    match node.get("type"):
        case "null":
            return []
        case "boolean":
            return ["`true`", "`false`"]
        case "string":
            return [mark or _PATTERNS.get(node.get("pattern", ""), "text")]
        case "array":
            return [_of("list", expects(node["items"]))]
        case "object":
            return [_map(node, mark)]
        case "integer" | "number" as type_:
            return [_WORDS[type_] + (f" from {node['minimum']}" if "minimum" in node else "")]
    if mark == "expression":
        return ["expression", "data"]
    return ["step" if mark == "step" else "map" if "$ref" in node else "data"]


def _map(node: Mapping[str, Any], mark: str | None) -> str:
    (inner,) = node.get("patternProperties", {"": node.get("additionalProperties", True)}).values()
    words = expects(inner) if isinstance(inner, Mapping) else []
    return _of("map", [mark] if mark else words)


def _of(whole: str, words: list[str]) -> str:
    """Name a list or a map by what is in it, where that says something."""
    return f"{whole} of {_either(map(_plural, words))}" if words and words != ["data"] else whole


def _plural(word: str) -> str:
    return word if word.startswith("`") or word == "data" else re.sub(r"^[a-z]+( number)?", r"\g<0>s", word)


def _either(words: Iterator[str] | list[str]) -> str:
    """Return alternatives as a sentence has them."""
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last


def _rows(model: type[BaseModel]) -> Iterator[tuple[str, ...]]:
    properties = model.model_json_schema(ref_template=REF)["properties"]
    for key, field in keys(model, inherited=False).items():
        yield f"`{key}`", _either(expects(properties[key])), _default(field), _text(field.description or "")


def _fields(record: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for field, node in record["properties"].items():
        words = list(dict.fromkeys(_holds(branch) for branch in node.get("anyOf", [node])))
        if {"type": "null"} in node.get("anyOf", []):
            words.remove("")
            words.append("left out" if node.get("default", field) is None else "`null`")
        yield f"`{field}`", _either(words), _text(node["description"])


def _holds(node: Mapping[str, Any]) -> str:
    """Return what is in a field of a record; a record in it leads to the table of that one."""
    if node.get("type") == "null":
        return ""
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    items = node.get("items", {})
    if "$ref" in items:
        return f"list of {_holds(items)}"
    inner = node.get("additionalProperties")
    return f"map of {_holds(inner)}" if isinstance(inner, dict) and "$ref" in inner else _either(expects(node))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(value, BaseModel):
        return "its defaults"
    if value is None or value in ([], {}):
        return "none"
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _top_level(key: str) -> tuple[str, str]:
    field = keys(Pipeline)[key]
    properties = Pipeline.model_json_schema(ref_template=REF)["properties"][key]
    below = [models()[name] for name in re.findall(r"#/\$defs/(\w+)", json.dumps(properties))]
    words = " ".join(f"`{inner}`" for model in below for inner in keys(model))
    many = "each: " if words and properties.get("type") in ("array", "object") else ""
    if '"x-llm-gc": "step"' in json.dumps(properties):
        words = "[steps](#steps)"
    return f"[`{key}`](#{key}){' (required)' if field.is_required() else ''}", many + words


def _kind(kind: type[Step]) -> tuple[str, ...]:
    about = re.match(r".+?\.(?=\s|$)", kind.__doc__ or "", re.DOTALL)
    others = (f"`{key}`" for key in keys(kind) if key not in (kind.kind, *keys(Step)))
    return f"[`{kind.kind}`](#{kind.kind})", _text(about[0] if about else ""), " ".join(others)


def _text(text: str) -> str:
    """Return a text as one cell."""
    return " ".join(text.replace("``", "`").replace("|", r"\|").split())


def _lines(head: tuple[str, ...], rows: Iterator[tuple[str, ...]] | map[tuple[str, ...]]) -> str:
    cells = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(row)} |\n" for row in cells)


def main() -> None:
    """Write the tables."""
    for file in map(Path, sys.argv[1:]) if len(sys.argv) > 1 else sorted(Path("docs").glob("*.md")):
        file.write_text(rewritten(file.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
