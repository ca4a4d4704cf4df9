"""The bare script that M1 is measured against: posts the six requests of a file with httpx, and reads the replies."""

import json
import sys

import httpx

with open(sys.argv[2], encoding="utf-8") as file:
    requests = json.load(file)
with httpx.Client(base_url=sys.argv[1], timeout=30) as client:
    for body in requests:
        with client.stream("POST", "/api/chat", json=body) as response:
            response.raise_for_status()
            text = "".join(json.loads(line)["message"]["content"] for line in response.iter_lines())
        print(text)
