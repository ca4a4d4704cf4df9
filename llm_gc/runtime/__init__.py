"""The drivers: whoever moves conversations on."""
