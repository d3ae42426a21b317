"""Puts a day's worth of chained audit records into a stopped admin's store.

fill_audit.py STORE COUNT
"""

import datetime
import hashlib
import json
import sqlite3
import sys

store, count = sys.argv[1], int(sys.argv[2])
connection = sqlite3.connect(store)
last = connection.execute(
    "SELECT sequence, digest FROM audit_record ORDER BY sequence DESC LIMIT 1").fetchone()
sequence, previous = last or (0, "sha256:" + "0" * 64)
start = 1_790_000_000_000


def rows():
    global sequence, previous
    for index in range(count):
        sequence += 1
        at = start + index * 86_400_000 // count
        time = datetime.datetime.fromtimestamp(at / 1000, datetime.timezone.utc).isoformat(
            timespec="milliseconds").replace("+00:00", "Z")
        actor = f"user-{index % 40}"
        action = f"POST /api/v1/runs/run-{index % 97}/stop"
        outcome = "refused forbidden" if index % 9 == 0 else "done"
        request = f"{index:016x}"
        body = json.dumps(
            {"sequence": sequence, "time": time, "actor": actor, "action": action,
             "parameters": "sha256:" + "0" * 64, "outcome": outcome, "request": request,
             "previous": previous}, separators=(",", ":"))
        previous = "sha256:" + hashlib.sha256(body.encode()).hexdigest()
        line = body[:-1] + ',"digest":"' + previous + '"}'
        yield sequence, at, actor, action, outcome, request, line, previous


with connection:
    connection.executemany("INSERT INTO audit_record VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows())
print(previous)
