"""Walks an exported audit log on standard input by hashlib alone, and prints its head."""

import hashlib
import json
import sys

previous = "sha256:" + "0" * 64
for number, line in enumerate(sys.stdin, 1):
    record = json.loads(line)
    tail = ',"digest":"' + record["digest"] + '"}\n'
    if not line.endswith(tail):
        sys.exit(f"line {number} doesn't end with its digest")
    body = line[: -len(tail)] + "}"
    digest = "sha256:" + hashlib.sha256(body.encode()).hexdigest()
    if (record["sequence"], record["previous"], record["digest"]) != (number, previous, digest):
        sys.exit(f"record {number} doesn't fit")
    previous = digest
print(previous)
