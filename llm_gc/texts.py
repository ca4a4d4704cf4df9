"""Every template and every expression in a document's models, with its path: what checks and loading walk over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, Literal, TypeVar, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from llm_gc.protocol import Path
from llm_gc.steps.scene import Scene
from llm_gc.templates import is_file

Found = TypeVar("Found")

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
    return iter(_texts_of.get(value, path))


def _collect_texts(value: Any, path: Path, found: list[Text]) -> None:
    if isinstance(value, BaseModel):
        for name, key, kind, _ in _fields(type(value)):
            inner = getattr(value, name)
            if kind is None:
                _collect_texts(inner, (*path, key), found)
            elif isinstance(inner, str):
                found.append(Text((*path, key), inner, kind))
            elif isinstance(inner, dict):  # the variables of a set, the inputs of a scene
                texts_in = ((each, item) for each, item in inner.items() if isinstance(item, str))
                found += (Text((*path, key, each), item, kind) for each, item in texts_in)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _collect_texts(item, (*path, index), found)
    elif isinstance(value, dict):
        for key, item in value.items():
            _collect_texts(item, (*path, key), found)


def models(value: Any, path: Path = ()) -> Iterator[tuple[Path, BaseModel]]:
    """Give a model and all models in it, each with its path, in the order of the document."""
    return iter(_models_of.get(value, path))


def _collect_models(value: Any, path: Path, found: list[tuple[Path, BaseModel]]) -> None:
    if isinstance(value, BaseModel):
        found.append((path, value))
        for name, key, _, holds_models in _fields(type(value)):
            if holds_models:
                _collect_models(getattr(value, name), (*path, key), found)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _collect_models(item, (*path, index), found)
    elif isinstance(value, dict):
        for key, item in value.items():
            _collect_models(item, (*path, key), found)


class _Newest(Generic[Found]):
    """What was collected of the newest value; checks ask for one pipeline's again and again, and models are frozen."""

    def __init__(self, collect: Callable[[Any, Path, list[Found]], None]) -> None:
        self._collect, self._value, self._found = collect, object(), list[Found]()

    def get(self, value: Any, path: Path) -> list[Found]:
        if value is self._value:
            return self._found
        found: list[Found] = []
        self._collect(value, path, found)
        if not path and isinstance(value, BaseModel):
            self._value, self._found = value, found
        return found


_texts_of, _models_of = _Newest(_collect_texts), _Newest(_collect_models)


@cache
def _fields(model: type[BaseModel]) -> tuple[tuple[str, str, TextKind | None, bool], ...]:
    """Give the fields of a model that a walk comes by: those that are templates, and those in which there are models.

    Of each: its name, its key, what kind of template it is (if it is one), and whether models can stand in it.
    """
    looked_at = (
        (name, field, _kind(model, name), _can_hold(field.annotation)) for name, field in model.model_fields.items()
    )
    return tuple((name, field.alias or name, kind, holds) for name, field, kind, holds in looked_at if kind or holds)


def _can_hold(annotation: Any) -> bool:
    """Tell whether an annotation names a model."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return True
    return any(_can_hold(inner) for inner in get_args(annotation))


def scene_files(value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Give the files of other pipelines that scenes play, with their paths."""
    for at, model in models(value, path):
        if isinstance(model, Scene) and isinstance(model.scene, str):
            yield (*at, "scene"), model.scene


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
