"""From files to one document: what ``extends`` lays under a pipeline and ``--set`` over it, place by place."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from llm_gc.analysis.wording import shown
from llm_gc.errors import Finding, PipelineError, UsageError
from llm_gc.protocol import Path
from llm_gc.source import Place, Source, dotted, load
from llm_gc.values.safe_text import masked, one_line

MAX_LAYERS = 16
TOO_MANY = f"at most {MAX_LAYERS} files extend one another"

_PLAIN = re.compile(r"[A-Za-z][A-Za-z /_-]*[A-Za-z](?<!true)(?<!false)(?<!null)")
"""Text that needs no quotes in YAML."""

_KEY = re.compile(r"[A-Za-z_](?:[\w .-]*\w)?")
"""A key that needs none."""

Read = Callable[[str, Source], Source]
"""Reads the file that a source names, seen from that source's own place."""


@dataclass(frozen=True)
class Override:
    """One value laid over a document from outside, and how it was given."""

    path: tuple[str, ...]
    value: Any
    given: str


class Document:
    """The data of several layers as one, and for each value the layer that it comes from.

    ``findings`` are everything that is wrong with the layers as YAML and with what they extend. The document is not
    ``whole`` where a layer under it could not be read.
    """

    def __init__(
        self,
        layers: Sequence[Source],
        overrides: Sequence[Override] = (),
        findings: Sequence[Finding] = (),
        *,
        whole: bool = True,
    ) -> None:
        """Lay each layer over the one after it, and the overrides over them all.

        Raises:
            UsageError: where an override leads nowhere.

        """
        self.layers, self.overrides = tuple(layers), tuple(overrides)
        self.findings = [fault for layer in layers for fault in layer.faults] + list(findings)
        self.whole, self.file = whole, layers[0].file
        data: Any = {}
        for layer in reversed(layers):
            own = layer.data if isinstance(layer.data, dict) else {}
            data = merge({key: value for key, value in own.items() if not _is_for_authors(key)}, data)
        for override in overrides:
            data = _put(data, override)
        self.data: dict[str, Any] = data

    @cached_property
    def holes(self) -> frozenset[Path]:
        """The paths at which something could not be read; the empty one where nobody knows what is missing."""
        found = ((layer, path) for layer in self.layers for path in layer.holes)
        return frozenset(path for layer, path in found if not path or self.layer(path) is layer)

    @cached_property
    def lost(self) -> str:
        """The text that was passed over."""
        return " ".join(layer.lost for layer in self.layers)

    def layer(self, path: Path) -> Source:
        """Return the layer in which what is at ``path`` (or what is nearest to it) is written."""
        for end in range(len(path), -1, -1):
            for layer in self.layers:
                if _exists(layer.data, path[:end]):
                    return layer
        return self.layers[0]

    def override(self, path: Path) -> Override | None:
        """Return the newest override that what is at ``path`` comes from."""
        steps = tuple(str(step) for step in path)
        found = [one for one in self.overrides if steps[: len(one.path)] == one.path]
        return found[-1] if found else None

    def place(self, path: Path, *, key: bool = False) -> Place:
        """Return the place of the value at ``path`` in its layer."""
        return self.layer(path).place(path, key=key)

    def finding(self, path: Path, code: str, message: str, *, key: bool = False, hint: str = "") -> Finding:
        """Return a finding about what is at ``path``."""
        override = self.override(path)
        if override is not None:
            return Finding(override.given, 1, 1, code, message, path=dotted(path), hint=hint)
        return self.layer(path).finding(path, code, message, key=key, hint=hint)

    def origin(self, path: Path) -> str:
        """Return where a value comes from that the file itself does not give; empty where it does."""
        override = self.override(path)
        if override is not None:
            return override.given
        layer = self.layer(path)
        return "" if layer is self.layers[0] else f"{layer.file}:{layer.place(path).line}"


def compose(source: Source, read: Read, overrides: Sequence[Override] = ()) -> Document:
    """Read what a source extends, and what that extends in its turn, and lay them over one another.

    Raises:
        UsageError: where an override leads nowhere.

    """
    layers, findings, whole = [source], [], True
    while (name := _extended(layers[-1])) is not None:
        newest, whole = layers[-1], False
        if not isinstance(name, str):
            findings = [newest.finding(("extends",), "shape", f"{shown(name)} is no file name")]
            break
        try:
            under = read(name, newest)
        except PipelineError as error:
            findings = list(error.findings)
            break
        names = [layer.file for layer in layers]
        if under.file in names or len(layers) >= MAX_LAYERS:
            chain = " extends ".join([*names, under.file])
            wrong = f"this goes in a circle: {chain}" if under.file in names else TOO_MANY
            findings = [newest.finding(("extends",), "extends-cycle", wrong)]
            break
        layers.append(under)
        whole = isinstance(under.data, dict)
    return Document(layers, overrides, findings, whole=whole)


def _is_for_authors(key: str) -> bool:
    """Return whether a top-level key is no part of the pipeline: what it extends, or a holder of anchors."""
    return key == "extends" or key.startswith("x-")


def _extended(layer: Source) -> Any:
    return layer.data.get("extends") if isinstance(layer.data, dict) else None


def merge(over: Mapping[str, Any], under: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one map over another: maps merge, lists and scalars replace, null deletes."""
    merged = dict(under)
    for key, value in over.items():
        if value is None and key in under:
            del merged[key]
        elif isinstance(value, Mapping) and isinstance(under.get(key), Mapping):
            merged[key] = merge(value, under[key])
        else:
            merged[key] = value
    return merged


def read_override(text: str) -> Override:
    """Read ``any.path=value``; the value is YAML. As it was ``given`` it is recorded, without the login of a host.

    Raises:
        UsageError: where it is not of that form.

    """
    path, equals, value = text.partition("=")
    steps = tuple(path.strip().split("."))
    if not equals or not all(steps) or not value.strip():
        wrong = f"--set {text!r} is not any.path=value"
        raise UsageError(f"{wrong}; write for example --set roles.anna.temperature=0.5")
    try:
        data = load(value, "--set").data
    except PipelineError as error:
        message = error.findings[0].message
        raise UsageError(f"--set {text!r}: the value is no YAML: {message}") from error
    safe = masked(data, steps[-1])
    if safe is not data:
        text = f"{path}={json.dumps(safe, ensure_ascii=False)}"
    return Override(steps, data, f"--set {text}")


def read_model(text: str, roles: Sequence[str]) -> list[Override]:
    """Read ``role=model``, or a model's name alone for all roles.

    Raises:
        UsageError: where there is no such role.

    """
    role, equals, model = text.partition("=")
    if not equals:
        return [Override(("roles", name, "model"), text, f"--model {text}") for name in roles]
    if role not in roles:
        raise UsageError(f"--model {text!r}: there is no role {role!r}; the roles are {', '.join(roles)}")
    return [Override(("roles", role, "model"), model, f"--model {text}")]


def as_yaml(document: Document) -> str:
    """Return a document as YAML, each value that the file itself does not give with the place that it comes from."""
    return "".join(f"{line}\n" for line in _lines(document, document.data, (), ""))


def _lines(document: Document, data: Mapping[str, Any], path: Path, indent: str) -> Iterator[str]:
    for key, value in data.items():
        at = (*path, key)
        if isinstance(value, Mapping) and value and document.override(at) is None:
            yield f"{indent}{_key_in(key)}:"
            yield from _lines(document, value, at, indent + "  ")
            continue
        origin = document.origin(at)
        yield f"{indent}{_key_in(key)}: {_value_in(masked(value, key))}" + (f"  # {one_line(origin)}" if origin else "")


def _key_in(key: Any) -> str:
    return key if isinstance(key, str) and _KEY.fullmatch(key) else json.dumps(key, ensure_ascii=False)


def _value_in(value: Any) -> str:
    """Return a value in one line: a text that needs no quotes without them, anything else as JSON."""
    return value if isinstance(value, str) and _PLAIN.fullmatch(value) else json.dumps(value, ensure_ascii=False)


def _put(data: dict[str, Any], override: Override) -> dict[str, Any]:
    """Return the data with one value put in place; maps on the way are made where they are missing."""
    data = deepcopy(data)
    node: Any = data
    *way, last = override.path
    if override.path[0] == "roles" and len(way) > 1 and override.path[1] not in (data.get("roles") or {}):
        known = ", ".join(data.get("roles") or {})
        raise UsageError(f"{override.given}: there is no role {override.path[1]!r}; the roles are {known}")
    for number, step in enumerate(way):
        if isinstance(node, dict) and step not in node:
            node[step] = {}
        node = node[_key(node, step, override)]
        if not isinstance(node, (dict, list)):
            so_far = ".".join(override.path[: number + 1])
            raise UsageError(f"{override.given}: {so_far} is {node!r}, which has no keys")
    key: Any = _key(node, last, override)
    if override.value is None and isinstance(node, dict):
        node.pop(key, None)
    else:
        node[key] = override.value
    return data


def _key(node: Any, step: str, override: Override) -> Any:
    """Return the key of one step down: a number where there is a list."""
    if not isinstance(node, list):
        return step
    if not step.isdigit() or int(step) >= len(node):
        raise UsageError(f"{override.given}: {step!r} is no place in a list of {len(node)}; places count from 0")
    return int(step)


def _exists(data: Any, path: Path) -> bool:
    for step in path:
        in_list = isinstance(data, list) and isinstance(step, int) and step < len(data)
        if not in_list and not (isinstance(data, Mapping) and step in data):
            return False
        data = data[step]
    return True
