"""Every template and every expression in a document's models, with its path: what checks and loading walk over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from llm_gc.protocol import Path
from llm_gc.steps.scene import Scene
from llm_gc.templates import is_file

TextKind = Literal["template", "expression"]


@dataclass(frozen=True, slots=True)
class Text:
    """A template or an expression, and where it stands."""

    path: Path
    text: str
    kind: TextKind

    @property
    def file(self) -> str | None:
        """The prompt file that it names, if it does."""
        return self.text if self.kind == "template" and is_file(self.text) else None


def texts(value: Any, path: Path = ()) -> Iterator[Text]:
    """Give all templates and expressions in a model and in what it holds, in the order of its fields."""
    if isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            inner, at = getattr(value, name), (*path, field.alias or name)
            kind = _kind(type(value), name)
            if kind and isinstance(inner, str):
                yield Text(at, inner, kind)
            elif kind and isinstance(inner, Mapping):  # the variables of a set, the inputs of a scene
                yield from (Text((*at, key), item, kind) for key, item in inner.items() if isinstance(item, str))
            elif isinstance(inner, (BaseModel, list, Mapping)):
                yield from texts(inner, at)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from texts(item, (*path, index))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from texts(item, (*path, key))


def models(value: Any, path: Path = ()) -> Iterator[tuple[Path, BaseModel]]:
    """Give a model and all models in it, each with its path, in the order of the document."""
    if isinstance(value, BaseModel):
        yield path, value
        for name, field in type(value).model_fields.items():
            yield from models(getattr(value, name), (*path, field.alias or name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from models(item, (*path, index))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from models(item, (*path, key))


def scene_files(value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Give the files of other pipelines that scenes play, with their paths."""
    for at, model in models(value, path):
        if isinstance(model, Scene) and isinstance(model.scene, str):
            yield (*at, "scene"), model.scene


@cache
def _kind(model: type[BaseModel], name: str) -> TextKind | None:
    """Tell by a field's annotation whether its text is a template or an expression."""
    field = model.model_fields[name]
    marks = {mark for info in _infos(field, field.annotation) if (mark := _mark(info))}
    return "expression" if "expression" in marks else "template" if "template" in marks else None


def _infos(*things: Any) -> Iterator[Any]:
    for thing in things:
        if isinstance(thing, FieldInfo):
            yield thing
            yield from thing.metadata
        else:
            yield from _infos(*getattr(thing, "__metadata__", ()), *get_args(thing))


def _mark(info: Any) -> Any:
    extra = getattr(info, "json_schema_extra", None)
    return extra.get("x-llm-gc") if isinstance(extra, dict) else None
