"""Tests of the pipelines that ship: each does what its description says, to each of its endings."""
