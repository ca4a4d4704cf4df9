"""What is found, from what a server says and what a pipeline wants of it: a table for each check."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from llm_gc.backends.interface import Examination, HeldModel, ListedModel, ModelFacts, ModelRecord, Probe
from llm_gc.doctor.checks import CHECKS, diagnose
from llm_gc.doctor.diagnosis import Diagnosis, DoctorCase, exit_code
from llm_gc.doctor.needs import Want
from llm_gc.protocol import ModelConfig

URL = "http://127.0.0.1:11434"
ABLE = ModelFacts(capabilities=("completion", "thinking"), context_length=8192)
HERE = ModelRecord("here", ABLE, bytes=10**9)


def want(role: str = "anna", model: str = "m", reply: int = 100, *, is_formed: bool = False, **casting: Any) -> Want:
    """A role that a model plays, with num_ctx 4096 if nothing else is said."""
    return Want(role, ModelConfig(model, **{"options": {"num_ctx": 4096}, **casting}), reply, is_formed)


def case(*wants: Want, kind: str = "ollama", **server: Any) -> DoctorCase:
    """A server that has the model m, and what is wanted of it."""
    given = {"models": {"m": HERE}, "version": "0.33.0", "held": (), "listed": (ListedModel("m"),), **server}
    return DoctorCase(Examination(kind, URL, "--host", **given), wants or (want(),))


def codes(found: list[Diagnosis]) -> list[str]:
    """The codes of what was found."""
    return [one.code for one in found]


def the(found: list[Diagnosis], code: str) -> Diagnosis:
    """The one diagnosis of that code."""
    [one] = [one for one in found if one.code == code]
    return one


def test_a_sound_case_has_nothing() -> None:
    """Everything there, everything said, nothing to be fixed."""
    found = diagnose(case())
    assert found == []
    assert exit_code(found) == 0


def test_every_check_is_in_the_registry_once() -> None:
    """A check that nobody calls finds nothing."""
    assert len(set(CHECKS)) == len(CHECKS)
    from llm_gc.doctor import checks

    own = [
        value
        for name, value in vars(checks).items()
        if callable(value) and not name.startswith("_") and value.__module__ == checks.__name__
    ]
    assert set(own) - {diagnose} == set(CHECKS)


def think(value: Any) -> DoctorCase:
    """A role that is to think, with a model that cannot."""
    return case(want(think=value), models={"m": ModelRecord("here", ABLE._replace(capabilities=("completion",)))})


def probed(probe: Probe, *wants: Want) -> DoctorCase:
    """A model that was probed, and stayed loaded."""
    return case(*wants, probes={"m": probe}, held=(HeldModel("m"),))


GOOD = Probe(answered=True)

FOUND = {
    "nobody answers": (case(trouble="Nobody.", is_absent=True, models={}), "no-server", 3, "Nobody."),
    "an error answers": (case(trouble="No.", models={}), "server-trouble", 3, "No."),
    "an odd address": (case(warnings=("'x' is no port",)), "odd-server", 1, "'x' is no port."),
    "a model is missing": (
        case(want(), want("ben"), models={"m": ModelRecord("missing")}),
        "missing-model", 3, "m, which plays anna and ben, is not there.",
    ),
    "a model is at ollama.com": (
        case(models={"m": ModelRecord("elsewhere")}), "missing-model", 3, "runs at ollama.com",
    ),
    "whether it is there is not told": (
        case(kind="openai", models={"m": ModelRecord("unknown")}), "untold", 0, "does not tell whether it has m",
    ),
    "it cannot chat": (
        case(models={"m": ModelRecord("here", ModelFacts(capabilities=("embedding",)))}),
        "mute-model", 1, "all it can do is embedding",
    ),
    "it cannot think": (think("high"), "idle-think", 1, "`think` of anna is not sent"),
    "it cannot be told not to think": (
        case(want(think=False), models={"m": ModelRecord("here", ABLE._replace(is_leveled=True))}),
        "unwilling-thinker", 1, "m always thinks: `think: false` of anna is sent as `low`",
    ),
    "it would drop a format without thinking": (
        case(want(is_formed=True), models={"m": ModelRecord("here", ABLE._replace(drops_format=True))}),
        "unwilling-thinker", 1, "m would drop the format of anna where it is told not to think",
    ),
    "abilities are not told": (
        case(models={"m": ModelRecord("here")}), "untold", 0, "does not tell what m can do",
    ),
    "a window beyond the training": (
        case(want(options={"num_ctx": 8193})), "beyond-training", 1, "num_ctx 8,193; m was trained for 8,192",
    ),
    "a window beyond the server's": (
        case(kind="openai", models={"m": ModelRecord("here", ModelFacts(num_ctx=2048))}),
        "beyond-training", 1, "the server holds m with 2,048",
    ),
    "a reply as long as the window": (
        case(want(reply=4096)), "no-room", 1, "may write 4,096 tokens into the window of m, which has 4,096",
    ),
    "a reply as long as the window in force": (
        case(want(reply=4096, options={}), models={"m": replace(HERE, window=4096)}),
        "no-room", 1, "the window of m, which has 4,096",
    ),
    "a window that nobody declares": (
        case(want(options={}), models={"m": replace(HERE, window=4096)}), "untold", 0, "gives it a window of 4,096",
    ),
    "a window that nobody declares and that is too small": (
        case(want(options={}, needs=9000), models={"m": replace(HERE, window=8192)}),
        "narrow-window", 1, "m gets a window of 8,192 tokens, and the conversation can need 9,000",
    ),
    "an unknown option": (
        case(want(options={"num_ctx": 512, "mirostat": 1})), "ignored", 1, "sets 'mirostat'",
    ),
    "a setting without a word": (
        case(kind="openai", unsent={"m": ("num_ctx", "think")}), "ignored", 1, "num_ctx, think of anna are not sent",
    ),
    "what becomes of too long a prompt": (
        case(kind="openai"), "untold", 0, "whether that is cut is the server's to decide",
    ),
    "a structure without a word": (
        case(want(is_formed=True, api="generate"), kind="openai"), "ignored", 1, "anna must answer in a structure",
    ),
    "differing load options": (
        case(want(), want("ben", options={"num_ctx": 2048})), "reloads", 1, "share m, but not num_ctx",
    ),
    "partly outside of the GPU": (
        case(held=(HeldModel("m:latest", 4 * 10**9, 10**9, 4096),)), "slow-memory", 1, "75 % of its 4.0 GB",
    ),
    "models that do not fit side by side": (
        case(
            want(), want("ben", "n"),
            models={"m": HERE, "n": HERE}, probes={"m": GOOD, "n": GOOD}, held=(HeldModel("n:latest"),),
        ),
        "crowded-memory", 1, "Only 1 of 2 models stay loaded side by side: m had to go",
    ),
    "models of which nobody knows whether they fit": (
        case(want(), want("ben", "n"), models={"m": HERE, "n": HERE}), "untold", 0, "2.0 GB on disk",
    ),
    "no answer": (probed(Probe(failure="It broke.")), "no-answer", 1, "m did not answer: It broke."),
    "an empty answer": (probed(Probe()), "no-answer", 1, "answered with nothing"),
    "a form that does not hold": (
        probed(Probe(answered=True, wrong="it is no JSON"), want(is_formed=True)), "loose-form", 1, "it is no JSON",
    ),
    "a form that nobody needs": (
        probed(Probe(answered=True, wrong="it is no JSON")), "loose-form", 0, "it is no JSON",
    ),
    "it thinks all the same": (
        probed(Probe(thought=True, cut=True)), "stubborn-thinker", 1, "and came to no answer",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FOUND)
def test_what_is_found(name: str) -> None:
    """Each trouble is found once, in words that name what was given, and ends with its code."""
    which, code, ends, words = FOUND[name]
    found = diagnose(which)
    assert len([one for one in found if one.code == code and words in one.message]) == 1
    assert exit_code(found) == ends
    without = [one for one in found if not one.remedy and one.code != "no-answer"]
    assert all(one.severity == "note" or one.about == "server" for one in without)


FINE: dict[str, DoctorCase] = {
    "a model that can think": case(want(think=True)),
    "one that always thinks and may": case(
        want(think="low"), models={"m": ModelRecord("here", ABLE._replace(is_leveled=True, drops_format=True))}
    ),
    "no word of thinking": think(None),
    "the whole trained window": case(want(options={"num_ctx": 8192})),
    "the same load options": case(want(), want("ben")),
    "all of it on the GPU": case(held=(HeldModel("m", 10, 10, 4096),)),
    "all of it without a GPU": case(held=(HeldModel("m", 10, 0, 4096),)),
    "a model of somebody else's on both": case(held=(HeldModel("other", 10, 5, 4096),)),
    "a good probe": probed(GOOD),
    "one that is to think, and does": probed(Probe(answered=True, thought=True), want(think=True)),
    "two that stay": case(
        want(), want("ben", "n"),
        models={"m": HERE, "n": HERE}, probes={"m": GOOD, "n": GOOD}, held=(HeldModel("n"), HeldModel("m")),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FINE)
def test_what_is_fine(name: str) -> None:
    """What looks alike and is no trouble is not found."""
    assert codes(diagnose(FINE[name])) == []


@pytest.mark.parametrize(
    ("kind", "url", "words"),
    [
        ("ollama", URL, "`ollama pull m`"),
        ("ollama", "http://gpu:9000", "`OLLAMA_HOST=http://gpu:9000 ollama pull m`"),
        ("openai", "http://gpu:8000/v1", "cast one that it has: one, two"),
    ],
)
def test_the_way_to_a_missing_model(kind: str, url: str, words: str) -> None:
    """It is a command that can be copied, or the names of what is there."""
    listed = (ListedModel("one"), ListedModel("two"))
    server = Examination(kind, url, "--host", models={"m": ModelRecord("missing")}, listed=listed)
    assert words in the(diagnose(DoctorCase(server, (want(),))), "missing-model").remedy
