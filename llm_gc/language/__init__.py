"""The language: the typed models of a pipeline file, its inputs, limits, texts and steps."""
