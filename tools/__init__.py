"""Generators of schemas, manual tables and pages; not part of the wheel."""
