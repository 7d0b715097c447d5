"""The least a Python program over httpx does for the same requests: the yardstick Ralph is measured by.

argv: URL, number of turns. Sends a streamed request, prints text as it comes, runs one `echo` per tool call.
"""

import json
import subprocess
import sys

import httpx

url, turns = sys.argv[1], int(sys.argv[2])
messages = [{"role": "user", "content": "go"}]
with httpx.Client(timeout=60) as client:
    for _ in range(turns):
        calls = []
        with client.stream("POST", url, json={"model": "m", "messages": messages, "stream": True}) as response:
            for line in response.iter_lines():
                if not line.startswith("data: ") or line == "data: [DONE]":
                    continue
                for choice in json.loads(line[6:])["choices"]:
                    if piece := choice["delta"].get("content"):
                        sys.stdout.write(piece)
                        sys.stdout.flush()
                    calls += choice["delta"].get("tool_calls", [])
        if not calls:
            break
        for call in calls:
            command = json.loads(call["function"]["arguments"])["command"]
            done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
            messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": done.stdout})
