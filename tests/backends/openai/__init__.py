"""The OpenAI backend: its events, its ways on the wire, and to whom it shows the key."""
