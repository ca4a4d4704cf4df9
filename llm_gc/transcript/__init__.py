"""The transcript: its records, how they are written and read, and how two of them are compared."""
