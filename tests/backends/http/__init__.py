"""What all model servers have in common: addresses, connections, failures, thoughts."""
