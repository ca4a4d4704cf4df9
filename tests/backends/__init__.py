"""Backends are held to what they promise."""
