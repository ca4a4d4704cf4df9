"""The Ollama backend: its pure parts, its answers to every recorded exchange, and its ways on the wire."""
