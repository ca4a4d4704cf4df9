"""Names of models."""

from __future__ import annotations

import pytest

from llm_gc.backends.ollama.model_names import entry_of, is_cloud, normalise


@pytest.mark.parametrize(
    "name",
    ["demo", " demo:latest ", "Demo", "library/demo", "registry.ollama.ai/library/demo:latest", "demo:local"],
)
def test_all_spellings_of_a_name_are_one(name: str) -> None:
    """Defaults may be written or left out, in any case."""
    assert normalise(name) == "demo:latest"


@pytest.mark.parametrize("name", ["demo:1b", "me/demo:latest", "host:5000/me/demo:latest", "hf.co/a/b:q4"])
def test_other_models_stay_apart(name: str) -> None:
    """A tag, a namespace or a host makes another model."""
    assert normalise(name) == name


def test_the_port_of_a_registry_is_no_tag() -> None:
    """A colon before the last slash belongs to a host."""
    assert normalise("host:5000/me/demo") == "host:5000/me/demo:latest"


@pytest.mark.parametrize(
    ("name", "cloud"), [("big:cloud", True), ("big:120b-Cloud", True), ("cloud", False), ("cloudy:1b", False)]
)
def test_cloud_models_are_known_by_their_tags(name: str, cloud: bool) -> None:
    """A tag that is or ends in cloud sends requests away."""
    assert is_cloud(name) is cloud


@pytest.mark.parametrize("listing", [None, [], {}, {"models": None}, {"models": [None, 1, {}, {"name": 3}]}])
def test_an_odd_listing_has_no_entries(listing: object) -> None:
    """Whatever a server sends in place of a list holds no model."""
    assert entry_of(listing, "demo") is None


def test_an_entry_is_found_by_either_of_its_names() -> None:
    """`name` and `model` both count, in any spelling."""
    entry = {"name": "other", "model": "Demo:latest"}
    assert entry_of({"models": [{"name": "x"}, entry]}, "demo") is entry
