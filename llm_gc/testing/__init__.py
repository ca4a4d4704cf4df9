"""Test files: cases with scripted replies for a pipeline, read, checked, played, compared and reported."""
