#!/usr/bin/env python3
"""Reads what a stopped node has left on its disk, without any code of the product.

evidence.py tip DIR             height of the last commit and lines of the ledgers, as JSON
evidence.py same DIR DIR…       whether all have the same commits without a gap; prints the tip
evidence.py ledger DIR          checks the hash chain of each ledger; prints what was reserved
evidence.py secrets DIR PATH…   whether the secret key in DIR is in no file of the paths
evidence.py safetensors FILE    checks the layout; prints the tensors and the SHA-256
"""

import base64
import hashlib
import json
import os
import shutil
import sqlite3
import struct
import sys
import tempfile
from contextlib import closing, contextmanager


def decode_cbor(data):
    """The one value in data: the deterministic subset of RFC 8949 that ledgers use."""
    value, rest = cbor_item(memoryview(data))
    if len(rest):
        raise ValueError("bytes after the value")
    return value


def cbor_item(data):
    major, argument, data = data[0] >> 5, data[0] & 31, data[1:]
    if major == 7:
        return {20: False, 21: True, 22: None}[argument], data
    if argument >= 24:
        width = 1 << (argument - 24)
        argument, data = int.from_bytes(data[:width], "big"), data[width:]
    if major == 0:
        return argument, data
    if major == 1:
        return -1 - argument, data
    if major in (2, 3):
        content = bytes(data[:argument])
        return content if major == 2 else content.decode(), data[argument:]
    items = []
    for _ in range(argument * (major - 3)):
        item, data = cbor_item(data)
        items.append(item)
    if major == 4:
        return items, data
    if major == 5:
        return dict(zip(items[::2], items[1::2])), data
    raise ValueError(f"CBOR major type {major}")


@contextmanager
def database(directory):
    """A copy, so that the log of a killed process is replayed there and not in the original."""
    with tempfile.TemporaryDirectory() as copy:
        names = ("node.sqlite", "node.sqlite-wal", "ledger.sqlite", "ledger.sqlite-wal")
        for name in names:
            path = os.path.join(directory, name)
            if os.path.exists(path):
                shutil.copy(path, copy)
        with closing(sqlite3.connect(os.path.join(copy, "node.sqlite"))) as connection:
            connection.execute("ATTACH ? AS ledgers", (os.path.join(copy, "ledger.sqlite"),))
            yield connection


def ledgers(connection):
    """The encoded entries by data set, in order."""
    entries = {}
    tables = connection.execute("SELECT count(*) FROM ledgers.sqlite_master WHERE name = 'ledger'")
    if tables.fetchone() == (0,):
        return entries
    rows = connection.execute("SELECT dataset, entry FROM ledger ORDER BY dataset, sequence")
    for name, entry in rows:
        entries.setdefault(name, []).append(entry)
    return entries


def tip(directory):
    with database(directory) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master")]
        if "commits" not in tables:
            return {"height": 0, "entries": 0}
        (height,) = connection.execute("SELECT max(height) FROM commits").fetchone()
        entries = sum(len(lines) for lines in ledgers(connection).values())
        return {"height": height or 0, "entries": entries}


def same(directories):
    chains = {}
    for directory in directories:
        with database(directory) as connection:
            rows = connection.execute("SELECT height, hex(digest) FROM commits ORDER BY height")
            chains[directory] = rows.fetchall()
    first = chains[directories[0]]
    for directory, chain in chains.items():
        if [height for height, _ in chain] != list(range(1, len(chain) + 1)):
            raise SystemExit(f"{directory}: heights are missing")
        if chain != first:
            different = [pair for pair in zip(chain, first) if pair[0] != pair[1]]
            raise SystemExit(
                f"{directory} has {len(chain)} commits, {directories[0]} has {len(first)};"
                f" different: {different[:3]}"
            )
    if not first:
        raise SystemExit("there are no commits")
    return {"height": first[-1][0], "tip": first[-1][1].lower()}


def ledger(directory):
    result = {}
    with database(directory) as connection:
        for name, entries in ledgers(connection).items():
            result[name] = read_ledger(name, entries)
    return result


def read_ledger(name, entries):
    previous, reserved, released = bytes(32), {}, {}
    for number, entry in enumerate(entries):
        fields = decode_cbor(entry)
        action = fields[3]
        if fields[1] != number or fields[2] != previous:
            raise SystemExit(f"{name}: the chain is broken at entry {number}")
        if (action[1] == 1) != (number == 0):
            raise SystemExit(f"{name}: opened at entry {number}")
        release = (action.get(4, b"").hex(), action.get(5), action.get(6))
        if action[1] == 3:
            reserved[release] = action[9]
        if action[1] == 4:
            if release not in reserved:
                raise SystemExit(f"{name}: released without a reservation: {release}")
            if released.setdefault(release[:2], action[10]) != action[10]:
                raise SystemExit(f"{name}: two different updates released: {release}")
        previous = hashlib.sha256(entry).digest()
    return {
        "entries": len(entries),
        "reserved": len(reserved),
        "released": len(released),
        "rounds": sorted({round_ for _, round_, _ in reserved}),
    }


def spellings(secret):
    yield "bytes", secret
    yield "hexadecimal", secret.hex().encode()
    yield "hexadecimal", secret.hex().upper().encode()
    yield "base32", base64.b32encode(secret).rstrip(b"=").lower()
    # In a longer base64 text, the bytes begin at any of three offsets.
    for offset in range(3):
        text = base64.b64encode(bytes(offset) + secret)
        yield "base64", text[(offset * 8 + 5) // 6 : len(secret) * 8 // 6]


def secrets(directory, paths):
    with open(os.path.join(directory, "identity.key"), "rb") as file:
        key = file.read()
    if key[:8] != b"AEGISKEY" or key[9] != 1 or len(key) != 74:
        raise SystemExit("identity.key is not a plain key file")
    wanted = list(spellings(key[42:]))
    files = 0
    for path in paths:
        for folder, _, names in os.walk(path) if os.path.isdir(path) else [("", [], [path])]:
            for name in names:
                file = os.path.join(folder, name)
                if not os.path.isfile(file):
                    continue
                with open(file, "rb") as opened:
                    content = opened.read()
                files += 1
                for kind, spelling in wanted:
                    if spelling in content:
                        raise SystemExit(f"the secret key is in {file} as {kind}")
    if not files:
        raise SystemExit("there was nothing to search")
    return {"files": files}


def safetensors(path):
    with open(path, "rb") as file:
        content = file.read()
    (length,) = struct.unpack_from("<Q", content)
    header = json.loads(content[8 : 8 + length])
    header.pop("__metadata__", None)
    end, tensors = 0, {}
    for name, tensor in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        begin, after = tensor["data_offsets"]
        count = 1
        for extent in tensor["shape"]:
            count *= extent
        if tensor["dtype"] != "F32" or begin != end or after - begin != 4 * count:
            raise SystemExit(f"{name}: {tensor}")
        values = struct.unpack_from(f"<{count}f", content, 8 + length + begin)
        if any(value - value != 0 for value in values):
            raise SystemExit(f"{name}: not finite")
        tensors[name] = {"shape": tensor["shape"], "nonzero": sum(value != 0 for value in values)}
        end = after
    if 8 + length + end != len(content):
        raise SystemExit("bytes after the last tensor")
    return {"tensors": tensors, "sha256": hashlib.sha256(content).hexdigest()}


def main(command, *arguments):
    commands = {
        "tip": lambda: tip(*arguments),
        "same": lambda: same(arguments),
        "ledger": lambda: ledger(*arguments),
        "secrets": lambda: secrets(arguments[0], arguments[1:]),
        "safetensors": lambda: safetensors(*arguments),
    }
    print(json.dumps(commands[command]()))


main(*sys.argv[1:])
