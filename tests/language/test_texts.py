"""Every template and expression of a document, and every model in it, with its path."""

from __future__ import annotations

from typing import Any

from llm_gc.language.fields import Stop
from llm_gc.language.pipeline import Pipeline
from llm_gc.language.steps.say import Say
from llm_gc.language.texts import Text, models, scene_files, texts
from tests.talks import pipeline

EVERYTHING: dict[str, Any] = {
    "roles": {"anna": {"model": "{{ a }}", "prompt": "a.j2", "temperature": "{{ b }}", "num_ctx": 5, "sees": ["ben"]},
              "ben": {"label": "{{ no }}", "description": "{{ no }}", "options": {"stop": ["{{ no }}"]}}},
    "turns": [
        {"say": "anna", "instruction": "c", "when": "d", "temperature": "{{ e }}", "result": "f", "speaker": "g"},
        {"repeat": [{"post": "h"}, {"end": "i"}], "times": "{{ j }}", "until": "k"},
        {"parallel": ["anna"], "for": "x", "in": "l"},
        {"choose": "{{ m }}", "by": "n", "as": "no"},
        {"scene": [{"do": ["anna"], "else": [{"set": {"one": "o", "two": 5, "three": ["no"]}}], "when": "p"}],
         "opening": "q", "result": "r", "speaker": "s", "limits": {"max_turns": "{{ t }}"},
         "stop": [{"when": "u"}, "no"]},
        {"scene": "other.yaml", "with": {"task": "v", "count": 3}},
        {"repeat": ["anna"], "for": "y", "in": ["no"]},
    ],
    "limits": {"timeout": "{{ w }}"},
    "stop": [{"when": "x", "role": "anna"}, {"token": "{{ no }}"}],
    "opening": "y",
    "result": "z",
    "inputs": {"any": {"type": "string", "default": "{{ no }}", "description": "{{ no }}"}},
}  # fmt: skip

FOUND = {
    "roles.anna.model": "template", "roles.anna.prompt": "template", "roles.anna.temperature": "template",
    "roles.ben.model": "template",
    "turns.0.instruction": "template", "turns.0.when": "expression", "turns.0.temperature": "template",
    "turns.0.result": "template", "turns.0.speaker": "template",
    "turns.1.repeat.0.post": "template", "turns.1.repeat.1.end": "template", "turns.1.times": "template",
    "turns.1.until": "expression", "turns.2.in": "expression", "turns.3.choose": "template", "turns.3.by": "template",
    "turns.4.scene.0.when": "expression", "turns.4.scene.0.else.0.set.one": "expression", "turns.4.opening": "template",
    "turns.4.result": "template", "turns.4.speaker": "template", "turns.4.limits.max_turns": "template",
    "turns.4.stop.0.when": "expression", "turns.5.with.task": "template",
    "limits.timeout": "template", "stop.0.when": "expression", "opening": "template", "result": "template",
}  # fmt: skip


def everything() -> Pipeline:
    """Return a pipeline with a text under every key that can have one."""
    return pipeline(**EVERYTHING)


def written() -> dict[str, Text]:
    """Return the texts that the document itself holds, by path."""
    limits = {"max_time", "load_timeout", "timeout", "first_token", "gap"}
    found = {".".join(map(str, text.path)): text for text in texts(everything())}
    return {path: text for path, text in found.items() if path.rpartition(".")[2] not in limits or "{{" in text.text}


def test_every_template_and_expression_is_found() -> None:
    """Under every key of every kind, and as what it is; nothing that is plain text is taken for one."""
    assert {path: text.kind for path, text in written().items()} == FOUND
    assert not [text for text in written().values() if "no" in text.text and text.text != "now"]


def test_the_file_that_a_template_names() -> None:
    """Only a template names one."""
    found = written()
    assert found["roles.anna.prompt"].file == "a.j2"
    assert found["opening"].file is None
    assert Text(("when",), "a.j2", "expression").file is None


def test_every_model_is_found() -> None:
    """With its path, in the order of the document."""
    paths = [".".join(map(str, path)) for path, model in models(everything()) if isinstance(model, (Say, Stop))]
    assert paths == [
        "turns.0", "turns.2.parallel.0", "turns.4.scene.0.do.0", "turns.4.stop.0", "turns.4.stop.1", "turns.6.repeat.0",
        "stop.0", "stop.1",
    ]  # fmt: skip


def test_the_pipelines_of_scenes() -> None:
    """Those that are files."""
    assert list(scene_files(everything())) == [(("turns", 5, "scene"), "other.yaml")]


def test_a_walk_elsewhere_is_not_kept() -> None:
    """What was asked for at a path is at that path, and what is asked for after it is not."""
    stop, other = Stop(when="a"), Stop(when="b")
    assert [text.path for text in texts(stop, ("stop", 0))] == [("stop", 0, "when")]
    assert [(text.path, text.text) for text in texts(stop)] == [(("when",), "a")]
    assert [(text.path, text.text) for text in texts(other)] == [(("when",), "b")]
