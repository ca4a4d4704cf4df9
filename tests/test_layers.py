"""The house: imports point one way, and the core knows nothing of the world outside."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "llm_gc"

LAYERS = [
    "_version",
    "printable",
    "logins",
    "errors",
    "duration",
    "protocol",
    "near",
    "tokens",
    "control_tokens",
    "labels",
    "frozen",
    "regex",
    "json_schema",
    "strict_json",
    "filters",
    "source",
    "templates",
    "steps",
    "pipeline",
    "texts",
    "inputs",
    "graph",
    "conversation",
    "records",
    "transcript",
    "cases",
    "loading",
    "recorded",
    "differences",
    "comparison",
    "glossary",
    "schema",
    "manual",
    "check",
    "documents",
    "reader",
    "files",
    "backends",
    "project",
    "placing",
    "gallery",
    "restored",
    "sessions",
    "drivers",
    "doctor",
    "planning",
    "testing",
    "validation",
    "api",
    "cli",
    "__main__",
]
"""A module imports from those above it in this list, and from its own package; never from below."""

CORE = [
    "printable",
    "logins",
    "duration",
    "protocol",
    "near",
    "tokens",
    "control_tokens",
    "labels",
    "frozen",
    "regex",
    "json_schema",
    "strict_json",
    "filters",
    "templates",
    "steps",
    "pipeline",
    "texts",
    "conversation",
    "records",
    "transcript",
    "loading",
    "recorded",
    "differences",
    "comparison",
]

OUTSIDE = {
    "aiohttp", "anyio", "asyncio", "click", "concurrent", "datetime", "httpx", "io", "logging", "multiprocessing", "os",
    "pathlib", "prompt_toolkit", "random", "rich", "secrets", "shutil", "signal", "socket", "subprocess", "sys",
    "tempfile", "threading", "time", "urllib", "uuid", "yaml",
}  # fmt: skip
"""Clock, disk, network, environment, chance and command line."""


def modules(layer: str) -> list[Path]:
    """Give the files of a layer."""
    folder, file = PACKAGE / layer, PACKAGE / f"{layer}.py"
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [file]


def imported(file: Path) -> Iterator[str]:
    """Give every module that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_module_has_its_layer() -> None:
    """Nothing stands outside the list."""
    found = {path.stem if path.suffix else path.name for path in PACKAGE.iterdir() if not path.name.startswith("__")}
    found -= {"shipped", "py"}
    assert found | {"__main__"} == {*LAYERS} | ({"py"} & found)


@pytest.mark.parametrize("layer", LAYERS)
def test_imports_point_upwards(layer: str) -> None:
    """A layer imports only from layers above it."""
    allowed = set(LAYERS[: LAYERS.index(layer) + 1])
    for file in modules(layer):
        own = {name.split(".")[1] for name in imported(file) if name.startswith("llm_gc.")}
        assert own <= allowed, f"{file.relative_to(PACKAGE)} imports {sorted(own - allowed)}"


@pytest.mark.parametrize("layer", CORE)
def test_the_core_knows_nothing_outside(layer: str) -> None:
    """No clock, no disk, no network, no environment, no chance, no command line."""
    for file in modules(layer):
        outside = {name.split(".")[0] for name in imported(file)} & OUTSIDE
        assert not outside, f"{file.relative_to(PACKAGE)} imports {sorted(outside)}"


def test_the_core_is_loaded_without_a_network() -> None:
    """Importing the core loads neither httpx nor asyncio nor click."""
    code = "import sys, llm_gc.conversation, llm_gc.transcript; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"httpx", "click", "jsonschema", "rich", "yaml"} & set(loaded)


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_is_light(argument: str) -> None:
    """--help and --version load neither pydantic nor httpx, nor anything else that takes its time."""
    code = f"""
import sys
sys.argv = ["llm-gc", "{argument}"]
from llm_gc.cli import main
try:
    main()
except SystemExit:
    pass
print("LOADED", *sys.modules)
"""
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    loaded = set(output.rpartition("LOADED")[2].split())
    assert not {"pydantic", "httpx", "jinja2", "yaml", "jsonschema", "rich", "asyncio", "prompt_toolkit"} & loaded


def test_files_and_functions_stay_small() -> None:
    """A budget to notice when it breaks: the median of files under 120 lines, 95% of functions under 45."""
    files = {file: file.read_text(encoding="utf-8") for file in PACKAGE.rglob("*.py")}
    lengths = sorted(text.count("\n") for text in files.values())
    assert lengths[len(lengths) // 2] < 120
    functions = [
        node.end_lineno - node.lineno + 1
        for text in files.values()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.end_lineno
    ]
    assert sum(length < 45 for length in functions) >= 0.95 * len(functions)


def test_at_most_fifteen_public_names() -> None:
    """The package's face stays small, and every name in it is there."""
    import llm_gc

    assert len(llm_gc.__all__) <= 15
    assert all(getattr(llm_gc, name) is not None for name in llm_gc.__all__)
