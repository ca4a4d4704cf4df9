"""Every template and every expression in a document's models, with its path: what checks and loading walk over."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, Literal, NamedTuple, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from llm_gc.language.steps.scene import Scene
from llm_gc.protocol import Path
from llm_gc.templates import is_file

TextKind = Literal["template", "expression"]


class Text(NamedTuple):
    """A template or an expression, and where it is."""

    path: Path
    text: str
    kind: TextKind

    @property
    def file(self) -> str | None:
        """The prompt file that it names, if it does."""
        return self.text if self.kind == "template" and is_file(self.text) else None


def texts(value: Any, path: Path = ()) -> Iterator[Text]:
    """Return all templates and expressions in a model and in what it holds, in the order of its fields."""
    return iter(_newest.walk(value, path).texts)


def models(value: Any, path: Path = ()) -> Iterator[tuple[Path, BaseModel]]:
    """Return a model and all models in it, each with its path, in the order of the document."""
    return iter(_newest.walk(value, path).models)


class _TextWalk:
    """A walk over models and all that they hold, and what it comes by."""

    def __init__(self) -> None:
        self.texts: list[Text] = []
        self.models: list[tuple[Path, BaseModel]] = []

    def go(self, value: Any, path: Path) -> None:
        if isinstance(value, BaseModel):
            self.models.append((path, value))
            for name, key, kind in _fields(type(value)):
                inner = getattr(value, name)
                if kind is None:
                    self.go(inner, (*path, key))
                elif isinstance(inner, str):
                    self.texts.append(Text((*path, key), inner, kind))
                elif isinstance(inner, dict):  # the variables of a set, the inputs of a scene
                    texts_in = ((each, item) for each, item in inner.items() if isinstance(item, str))
                    self.texts += (Text((*path, key, each), item, kind) for each, item in texts_in)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                self.go(item, (*path, index))
        elif isinstance(value, dict):
            for key, item in value.items():
                self.go(item, (*path, key))


class _Newest:
    """The walk over the newest model; checks ask for one pipeline's again and again, and models are frozen."""

    def __init__(self) -> None:
        self._value: Any = None
        self._walk = _TextWalk()

    def walk(self, value: Any, path: Path) -> _TextWalk:
        if value is self._value and value is not None:
            return self._walk
        walk = _TextWalk()
        walk.go(value, path)
        if not path and isinstance(value, BaseModel):
            self._value, self._walk = value, walk
        return walk


_newest = _Newest()


@cache
def _fields(model: type[BaseModel]) -> tuple[tuple[str, str, TextKind | None], ...]:
    """Return the fields of a model that a walk comes by: those that are templates, and those in which there are models.

    Of each: its name, its key, and what kind of template it is, if it is one.
    """
    looked_at = ((name, field, _kind(model, name)) for name, field in model.model_fields.items())
    return tuple(
        (name, field.alias or name, kind) for name, field, kind in looked_at if kind or _can_hold(field.annotation)
    )


def _can_hold(annotation: Any) -> bool:
    """Return whether an annotation names a model."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return True
    return any(_can_hold(inner) for inner in get_args(annotation))


def scene_files(value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Yield the files of other pipelines that scenes play, with their paths."""
    for at, model in models(value, path):
        if isinstance(model, Scene) and isinstance(model.scene, str):
            yield (*at, "scene"), model.scene


def _kind(model: type[BaseModel], name: str) -> TextKind | None:
    """Return, by a field's annotation, whether its text is a template or an expression."""
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
