"""What a client remembers of the models that a server holds, and what it sends to have one held."""

from __future__ import annotations

import pytest

from llm_gc.backends.ollama.loaded_models import FRESH, HeldModels
from llm_gc.backends.ollama.wire import load_body

OPTIONS = {"num_ctx": 4096, "temperature": 0.2}


class Clock:
    """A clock that is moved by hand."""

    now = 100.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def held(window: int | None = 4096, name: str = "demo:latest") -> dict[str, object]:
    """A listing with one model in it."""
    return {"models": [{"name": name, **({} if window is None else {"context_length": window})}]}


def test_a_proof_is_fresh_for_a_moment_only() -> None:
    """Within a second of a proof nobody looks again; after it everybody does."""
    clock = Clock()
    shelf = HeldModels(clock)
    assert not shelf.fresh("demo", OPTIONS)
    shelf.saw("demo", OPTIONS)
    clock.now += FRESH - 0.01
    assert shelf.fresh("Demo:latest", {**OPTIONS, "temperature": 1})
    clock.now += 0.02
    assert not shelf.fresh("demo", OPTIONS)


@pytest.mark.parametrize(("model", "options"), [("demo:1b", OPTIONS), ("demo", {}), ("demo", {"num_ctx": 8192})])
def test_a_proof_is_of_one_model_with_one_set_of_load_options(model: str, options: dict[str, int]) -> None:
    """Another model, or the same with another window, needs its own."""
    shelf = HeldModels(Clock())
    shelf.saw("demo", OPTIONS)
    assert not shelf.fresh(model, options)


def test_a_load_ends_all_other_proofs() -> None:
    """For a model that was loaded another one may have had to go."""
    shelf = HeldModels(Clock())
    shelf.saw("demo", OPTIONS)
    shelf.loaded("other", {})
    assert shelf.fresh("other", {})
    assert not shelf.fresh("demo", OPTIONS)


def test_a_failure_ends_a_proof() -> None:
    """After a failure one looks again."""
    shelf = HeldModels(Clock())
    shelf.saw("demo", OPTIONS)
    shelf.forget("demo:latest")
    assert not shelf.fresh("demo", OPTIONS)


@pytest.mark.parametrize(
    ("listing", "options", "answer"),
    [
        (held(), OPTIONS, True),
        (held(), {}, True),
        (held(None), OPTIONS, True),
        (held(2048), OPTIONS, False),
        (held(2048), {}, True),
        (held(name="demo:1b"), OPTIONS, False),
        ({"models": []}, OPTIONS, False),
    ],
)
def test_a_model_is_held_with_the_window_that_is_asked_for(
    listing: dict[str, object], options: dict[str, int], answer: bool
) -> None:
    """Another window counts as not held; an unknown one, or no wish, as held."""
    shelf = HeldModels(Clock())
    assert shelf.holds(listing, "demo", options) is answer
    assert shelf.fresh("demo", options) is answer


def test_a_window_that_the_server_rounds_is_learned() -> None:
    """After our own load, the window that we find is the one that these options get, and no other."""
    shelf = HeldModels(Clock())
    small = {"num_ctx": 128}
    assert not shelf.holds(held(256), "demo", small)
    shelf.loaded("demo", small)
    assert shelf.holds(held(256), "demo", small)
    assert not shelf.holds(held(512), "demo", small)
    assert not shelf.holds(held(256), "demo", {"num_ctx": 100})


def test_a_load_asks_nothing_and_carries_every_load_option() -> None:
    """The empty request has the load options of the reply, shift among them, and no message."""
    load = {"num_ctx": 9, "num_batch": 1, "num_gpu": 0, "main_gpu": 0, "use_mmap": False, "num_thread": 2}
    load["draft_num_predict"] = 0
    body = load_body("demo", {"temperature": 1, "stop": ["x"], "num_predict": 5, "num_keep": 2, **load})
    assert body == {"model": "demo", "stream": True, "options": load, "truncate": False, "shift": False}
