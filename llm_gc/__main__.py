"""``python -m llm_gc`` is ``llm-gc``."""

from llm_gc.cli import main

main()
