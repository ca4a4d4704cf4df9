"""The tiny model that the tests of the embedded backend load, and the files beside it that cannot be loaded."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests import tiny_gguf


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the tiny model, made once."""
    pytest.importorskip("gguf", reason="gguf is not installed: no tiny model can be made")
    return tiny_gguf.write(tmp_path_factory.mktemp("models") / "tiny.gguf")


@pytest.fixture
def tiny(made: Path, tmp_path: Path) -> Path:
    """Return a copy of the tiny model in the test's own folder."""
    return Path(shutil.copy(made, tmp_path / "tiny.gguf"))
