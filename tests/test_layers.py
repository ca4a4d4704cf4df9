"""The layers of the package: imports point one way, nothing is circular, and the core knows nothing of the outside."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "llm_gc"

LAYERS = [
    {"_version", "protocol", "values", "errors"},
    {"source", "templates", "files"},
    {"language"},
    {"core"},
    {"transcript"},
    {"analysis"},
    {"project", "sessions", "backends"},
    {"runtime", "testing"},
    {"model_checker", "planning", "doctor", "validation", "study"},
    {"reports", "api", "backend_api"},
    {"cli", "__main__"},
]
"""From the bottom to the top: a module imports only from its own layer and from those before it."""

PURE = {"protocol", "values", "templates", "language", "core", "transcript"}
"""The packages that know no clock, disk, network, environment, chance or command line."""

OUTSIDE = {
    "aiohttp", "anyio", "asyncio", "click", "concurrent", "datetime", "httpx", "io", "logging", "multiprocessing", "os",
    "pathlib", "prompt_toolkit", "random", "rich", "secrets", "shutil", "signal", "socket", "subprocess", "sys",
    "tempfile", "threading", "time", "urllib", "uuid", "yaml",
}  # fmt: skip


@cache
def files() -> dict[str, Path]:
    """Return the files of the package by the names of their modules."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def imported(module: str) -> frozenset[str]:
    """Return every module that a module imports, wherever in it: in functions and under TYPE_CHECKING as well."""
    return frozenset(_imported(module))


def _imported(module: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(files()[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are absolute"
            assert node.module is not None
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if name in files() else node.module


def layer(package: str) -> int:
    """Return the number of a package's layer."""
    (found,) = (number for number, packages in enumerate(LAYERS) if package in packages)
    return found


def own(module: str) -> set[str]:
    """Return the packages of ours, by their first names, that a module imports from."""
    return {name.split(".")[1] for name in imported(module) if name.startswith("llm_gc.")}


def test_every_module_has_its_layer() -> None:
    """Each package and each file beside them is in the list, and the list has nothing else."""
    found = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert found - {"__init__"} == set().union(*LAYERS)


@pytest.mark.parametrize("module", sorted(files().keys() - {"llm_gc"}))
def test_imports_point_downwards(module: str) -> None:
    """A module imports only from its own layer and those below it."""
    here = layer(module.split(".")[1])
    assert {name for name in own(module) if layer(name) > here} == set()


def test_no_imports_are_circular() -> None:
    """Not between packages, and not between the files of one, late imports and those for types included."""
    graph = {module: imported(module) & files().keys() - {module} for module in files()}
    packages: dict[str, set[str]] = defaultdict(set)
    for module in files().keys() - {"llm_gc"}:
        name = module.split(".")[1]
        packages[name] |= own(module) - {name}
    for edges in (graph, packages):
        try:
            TopologicalSorter(edges).prepare()
        except CycleError as error:
            pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize(
    "module", [name for name in sorted(files()) if name.split(".")[1:2] and name.split(".")[1] in PURE]
)
def test_the_core_knows_nothing_outside(module: str) -> None:
    """No clock, no disk, no network, no environment, no chance, no command line."""
    assert {name.split(".")[0] for name in imported(module)} & OUTSIDE == set()


def test_the_core_is_loaded_without_a_network() -> None:
    """Importing the core loads neither httpx nor jsonschema nor click."""
    code = "import sys, llm_gc.core, llm_gc.transcript; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"httpx", "click", "jsonschema", "rich", "yaml"} & set(loaded)


def test_each_class_name_means_one_thing() -> None:
    """No two modules define a class of the same name."""
    homes: dict[str, set[str]] = defaultdict(set)
    for module, path in files().items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                homes[node.name].add(module)
    assert {name: modules for name, modules in homes.items() if len(modules) > 1} == {}
