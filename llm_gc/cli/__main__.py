"""``python -m llm_gc.cli`` is ``llm-gc``."""

from llm_gc.cli import main

main()
