#!/usr/bin/env python3
"""One table of aegis-aggregation-speed beside ByzFL and Flower, as CSV and Markdown.

    aggregation_table.py OUT --program PROGRAM [--peers PYTHON] [--before COMMAND] [--only ROW,…]

PYTHON is an interpreter that has byzfl and flwr; without it only Aegis is timed. COMMAND stands
before every call, to keep other work away. Rows that OUT/aggregation.csv has are not run again.
"""
import argparse
import csv
import json
import pathlib
import subprocess

ROWS = [
    ("read", 50, 1_000_000),
    ("read", 10, 10_000_000),
    ("mean", 50, 1_000_000),
    ("mean", 10, 10_000_000),
    ("median", 10, 1_000_000),
    ("median", 50, 1_000_000),
    ("median", 10, 10_000_000),
    ("trimmed_mean", 10, 1_000_000),
    ("trimmed_mean", 50, 1_000_000),
    ("trimmed_mean", 100, 1_000_000),
    ("krum", 10, 1_000_000),
    ("krum", 50, 1_000_000),
    ("krum", 100, 1_000_000),
    ("bulyan", 50, 100_000),
    ("geometric_median", 50, 1_000_000),
    ("centered_clipping", 50, 1_000_000),
    ("nnm+trimmed_mean", 50, 100_000),
    ("nnm+trimmed_mean", 50, 1_000_000),
]
FIELDS = [
    "peer", "rule", "n", "d", "threads", "seconds_min", "seconds_median", "cpu_seconds_min",
    "extra_mib", "repetitions", "error",
]


def key(record):
    return tuple(str(record[name]) for name in ("peer", "rule", "n", "d", "threads"))


def load(path):
    if not path.exists():
        return {}
    with path.open() as file:
        return {key(row): row for row in csv.DictReader(file)}


def save(path, records):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(records.values())


def cell(record):
    if record is None:
        return "–"
    if record.get("error"):
        return "–" if record["error"] == "no such rule" else "failed"
    return f"{float(record['seconds_min']):.4f}"


def markdown(records):
    lines = [
        "Seconds, the least of the repetitions; bit-exact only Aegis. f = n/5, Bulyan (n−3)/4;",
        "ByzFL's geometric median stops after three steps. GB/s: n updates read, one written.",
        "",
        "| rule | n | d | Aegis, 1 core | GB/s | Aegis, 2 cores | gain | extra MiB "
        "| ByzFL NumPy | ByzFL torch | Flower |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for rule, n, d in ROWS:
        def get(peer, threads):
            return records.get((peer, rule, str(n), str(d), str(threads)))

        one, two = get("aegis", 1), get("aegis", 2)
        if one is None:
            continue
        seconds = float(one["seconds_min"])
        moved = (n if rule == "read" else n + 1) * d * 4 / 1e9
        gain = f"{seconds / float(two['seconds_min']):.2f}×" if two else "–"
        lines.append(
            f"| {rule} | {n} | {d:,} | {cell(one)} | {moved / seconds:.1f} | {cell(two)} | {gain} "
            f"| {float(one['extra_mib']):.0f} | {cell(get('byzfl', 1))} "
            f"| {cell(get('byzfl-torch', 1))} | {cell(get('flower', 1))} |"
        )
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--program", required=True)
    parser.add_argument("--peers")
    parser.add_argument("--before", default="")
    parser.add_argument("--only", default="", help="peers to run now, with commas between")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "aggregation.csv"
    records = load(path)
    peers = [("aegis", 1), ("aegis", 2)]
    if options.peers:
        peers += [("byzfl", 1), ("byzfl-torch", 1), ("flower", 1)]
    script = str(pathlib.Path(__file__).with_name("aggregation_peers.py"))
    for peer, threads in peers:
        if options.only and peer not in options.only.split(","):
            continue
        for rule, n, d in ROWS:
            if rule == "read" and peer != "aegis":
                continue
            if (peer, rule, str(n), str(d), str(threads)) in records:
                continue
            arguments = [rule, str(n), str(d), str(threads), "1"]
            call = (
                [options.program] if peer == "aegis" else [options.peers, script, peer]
            ) + arguments
            done = subprocess.run(
                options.before.split() + call, capture_output=True, text=True
            )
            try:
                record = json.loads(done.stdout.splitlines()[-1])
            except (IndexError, ValueError):
                record = dict(
                    peer=peer, rule=rule, n=n, d=d, threads=threads,
                    error=(done.stderr.strip() or f"status {done.returncode}")[-120:],
                )
            records[key(record)] = {name: str(record.get(name, "")) for name in FIELDS}
            save(path, records)
    (options.out / "aggregation.md").write_text(markdown(records))


main()
