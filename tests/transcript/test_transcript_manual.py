"""The manual of the transcript is whole and true: fresh tables for every record, and requests that can be rebuilt."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import pytest

from llm_gc.transcript.encode import digest
from tests.commands import ROOT
from tools import manual

TEXT = (ROOT / "docs" / "transcript.md").read_text(encoding="utf-8")
HEADINGS = re.findall(r"^#+ (.*)$", TEXT, re.MULTILINE)


def test_the_tables_are_fresh() -> None:
    """What is generated is as the records say: else run `make docs`."""
    assert manual.rewritten(TEXT) == TEXT


def test_every_record_has_its_table() -> None:
    """Under a heading of its name, each once, and every field with a meaning."""
    shown = [found["name"] for found in manual.PLACE.finditer(TEXT)]
    assert sorted(shown) == sorted(manual.records())
    assert set(shown) <= set(HEADINGS)
    rows = re.findall(r"^\| `\w+` \| (.*?) \| (.*?) \|$", TEXT, re.MULTILINE)
    assert len(rows) == sum(len(record["properties"]) for record in manual.records().values())
    assert all(holds and meaning for holds, meaning in rows)


def test_links_lead_somewhere() -> None:
    """Within the page to a heading, else to a file."""
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in HEADINGS}
    for link in re.findall(r"\]\((.*?)\)", TEXT):
        assert link.removeprefix("#") in anchors if link.startswith("#") else (ROOT / "docs" / link).is_file()


(EXAMPLE,) = (json.loads(text) for text in re.findall(r"^```json\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE))


def messages(turn: Any) -> list[dict[str, str]]:
    """Assemble a request of the example by the manual's words."""
    turns = {other["id"]: other for other in EXAMPLE["turns"]}
    made: list[dict[str, str]] = []
    request = turn["request"]
    kept = turns[request["after"]]["request"]["parts"][: request["keep"]] if request["keep"] else []
    for part in [*kept, *request["parts"]]:
        text = EXAMPLE["texts"].get(part.get("text"), "")
        if said := turns.get(part.get("turn")):
            text = said["content"] if part["role"] == "assistant" else f"{said['label']}: {said['content']}"
        if made and made[-1]["role"] == part["role"]:
            made[-1]["content"] += f"\n\n{text}"
        else:
            made.append({"role": part["role"], "content": text})
    return made


@pytest.mark.parametrize("turn", EXAMPLE["turns"], ids=lambda turn: turn["id"])
def test_the_hashes_of_the_example_are_right(turn: Any) -> None:
    """Those of the messages, and the keys of the texts."""
    assert turn["request"]["sha256"] == digest(messages(turn))
    assert all(hashlib.sha256(text.encode()).hexdigest()[:16] == key for key, text in EXAMPLE["texts"].items())
