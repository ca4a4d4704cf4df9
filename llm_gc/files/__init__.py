"""Files of a project: where they are, and how they are opened without leaving its root."""
