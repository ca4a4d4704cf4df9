"""``python -m benchmarks.posted URL SESSIONS FILE``: the six requests of one M1 run, as the bare script posts them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import llm_gc


def main() -> None:
    """Run M1 once, and write what it sent."""
    url, sessions, file = sys.argv[1:]
    pipeline = Path(__file__).resolve().parent.parent / "pipelines" / "m1.yaml"
    transcript = llm_gc.run(pipeline, task="sort a list", host=url, sessions=sessions)
    assert len(transcript.turns) == 6, f"M1 took {len(transcript.turns)} turns"
    bodies = [
        {"model": turn.model, "messages": llm_gc.messages_of(transcript, turn), "options": dict(turn.request.options)}
        for turn in transcript.turns
    ]
    Path(file).write_text(json.dumps(bodies), encoding="utf-8")


if __name__ == "__main__":
    main()
