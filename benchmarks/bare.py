"""The bare script that M1 is measured against: posts the six requests of a file with httpx, and reads the replies."""

import json
import sys
from pathlib import Path

import httpx

requests = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
with httpx.Client(base_url=sys.argv[1], timeout=30) as client:
    for body in requests:
        with client.stream("POST", "/api/chat", json=body) as response:
            response.raise_for_status()
            text = "".join(json.loads(line)["message"]["content"] for line in response.iter_lines())
        print(text)
