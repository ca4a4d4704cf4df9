"""Plain values: frozen JSON data, JSON Schemas, regular expressions, safe text, units."""
