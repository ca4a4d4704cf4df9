"""What all servers share: connections, streams, time limits, errors, and secrets kept out."""
