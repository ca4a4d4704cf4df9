"""What a pipeline wants: each role's model and settings, with the places where it says so."""

from __future__ import annotations

from pathlib import Path

from llm_gc import project
from llm_gc.backends.interface import Examination
from llm_gc.doctor.checks import diagnose
from llm_gc.doctor.diagnosis import DoctorCase
from llm_gc.doctor.needs import Want, wants_of

TEXT = """
name: test
inputs: {size: {type: integer, default: 500}}
defaults: {model: "a:1b", num_ctx: 2048}
roles:
  anna: {prompt: You plan., max_tokens: 300}
  ben: {prompt: You judge., max_tokens: 900, format: {good: {type: boolean}}, host: "http://gpu:9000"}
  carl: {prompt: You sum up.}
  dora: {prompt: You count.}
  me: {human: true}
opening: Begin.
turns:
  - me
  - anna
  - ben
  - {say: carl, format: {sum: {type: string}}}
  - {choose: [anna, dora], by: random}
  - scene: inner.yaml
limits: {max_tokens: "{{ size }}"}
"""

INNER = """
name: inner
roles: {eve: {model: "e:1b", prompt: You answer.}}
opening: Begin.
turns: [eve]
"""


def wanted(folder: Path, **inputs: int) -> dict[str, Want]:
    """What the pipeline above wants, by role."""
    (folder / "inner.yaml").write_text(INNER, encoding="utf-8")
    (folder / "test.yaml").write_text(TEXT, encoding="utf-8")
    loaded = project.load(str(folder / "test.yaml"))
    return {want.role: want for want in wants_of(loaded, {"size": 500, **inputs})}


def test_all_roles_that_models_play(tmp_path: Path) -> None:
    """Those of a scene's pipeline too, and people not: they need no server."""
    wants = wanted(tmp_path)
    assert {role: want.casting.model for role, want in wants.items()} == {
        "anna": "a:1b", "ben": "a:1b", "carl": "a:1b", "dora": "a:1b", "eve": "e:1b",
    }  # fmt: skip


def test_the_longest_reply(tmp_path: Path) -> None:
    """It is the least of what the role and the limits allow, where an input says it too."""
    wants = wanted(tmp_path)
    assert [wants[role].reply for role in ("anna", "ben", "carl", "eve")] == [300, 500, 500, 1024]
    assert [wanted(tmp_path, size=200)[role].reply for role in ("anna", "ben")] == [200, 200]


def test_who_is_asked_for_a_structure(tmp_path: Path) -> None:
    """Whether the role says so, or a step in which it speaks."""
    formed = {role for role, want in wanted(tmp_path).items() if want.is_formed}
    assert formed == {"ben", "carl"}


def test_where_it_is_said(tmp_path: Path) -> None:
    """With the role, among the defaults of all roles, or in a scene's file."""
    wants, file = wanted(tmp_path), tmp_path / "test.yaml"
    assert wants["anna"].place("max_tokens") == f"{file}:6:41"
    assert wants["anna"].place("num_ctx") == f"{file}:4:36"
    assert wants["eve"].place("model") == f"{tmp_path / 'inner.yaml'}:3:22"


def test_where_an_absent_server_is_named(tmp_path: Path) -> None:
    """By the role that names it; where a flag or the environment does, no place in a file is to blame."""
    ben = wanted(tmp_path)["ben"]
    for source, places in (("a role's host", (ben.place("host"),)), ("--host", ())):
        server = Examination("ollama", "http://gpu:9000", source, trouble="Nobody.", is_absent=True)
        [found] = diagnose(DoctorCase(server, (ben,)))
        assert found.places == places
