"""Puts a file of reference vectors to `aegis privacy … --batch`, and counts what is off.

    python3 benchmarks/privacy/vectors.py VECTORS.json [AEGIS]

The file is JSON: a list `records`, each with an `id`, a `kind`, the mechanism and what other
libraries or 60-digit arithmetic found. The pass marks:

    gaussian              1e-9 of the exact epsilon, never below it
    other epsilons        from the record's lower bracket to 0.5 % + 0.001 above its upper one,
                          and never below an exact value
    rdp epsilons          at most Opacus' and dp-accounting's least, never below the lower bracket
    delta_at_epsilon      from the lower bound to 0.5 % above the upper one; lower bounds under 1e-12
                          come out of a transform in binary64 and are its rounding
    lower bounds          never above the epsilon, an exact one or the record's upper bracket
    calibration           noise within 0.5 % of dp-accounting's by PLD, epsilon at most the target
    rdp_curve             1e-9 of the exact divergence

A bracket which an exact value of the same record contradicts does not count.
Ends with 1 where anything is off.
"""

import collections
import json
import subprocess
import sys

TOLERANCE, SLACK, ROUNDING = 0.005, 1e-3, 1e-12
# By how much lower bounds are below upper ones.
GAPS = []


def real(value):
    return float("inf") if value == "inf" else value


def phases(record):
    return [
        {"sampling_rate": p["q"], "noise_multiplier": p["sigma"], "steps": p["steps"]}
        for p in record["phases"]
    ]


class Batch:
    """Cases of one command, each with what is to be checked of its answer."""

    def __init__(self, command):
        self.command, self.cases, self.checks = command, [], []

    def ask(self, kind, name, case, check):
        self.cases.append({"id": len(self.cases), **case})
        self.checks.append((kind, name, check))

    def run(self, program, counts, faults):
        if not self.cases:
            return 0.0
        lines = "".join(json.dumps(case) + "\n" for case in self.cases)
        done = subprocess.run(
            [program, "privacy", self.command, "--batch", "-"],
            input=lines,
            capture_output=True,
            text=True,
            check=True,
        )
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        assert [a["id"] for a in answers] == list(range(len(self.cases))), "an answer is missing"
        slowest = 0.0
        for answer, (kind, name, check) in zip(answers, self.checks, strict=True):
            slowest = max(slowest, answer.get("seconds", 0.0))
            wrong = answer["error"] if "error" in answer else check(answer)
            counts[kind][1 if wrong else 0] += 1
            if wrong:
                faults.append(f"{kind} {name}: {wrong}")
        return slowest


def between(found, lower, upper):
    if found < lower:
        return f"{found!r} is below {lower!r}"
    if found > upper:
        return f"{found!r} is above {upper!r}, by {found / upper - 1:.3%}"
    return None


def epsilon_limits(kind, bracket):
    """What an answer may be."""
    lower, upper = real(bracket.get("lower", 0.0)), real(bracket.get("upper"))
    exact = real(bracket.get("exact"))
    if exact is None:
        return lower, upper * (1 + TOLERANCE) + SLACK
    if kind == "gaussian" or exact in (0.0, float("inf")):
        return exact, exact * (1 + 1e-9) if exact < float("inf") else exact
    return exact, exact * (1 + TOLERANCE) + SLACK


def epsilons(record, batch):
    for bracket in record["bracket"]:
        delta = bracket["delta"]
        lower, upper = epsilon_limits(record["kind"], bracket)
        if upper is None:
            continue
        exact = real(bracket.get("exact"))
        most = real(bracket["upper"]) if exact is None else exact
        for accountant in ("pld", "best"):
            case = {"phases": phases(record), "delta": delta, "accountant": accountant}
            name = f"{record['id']} at {delta} by {accountant}"

            def check(answer, lower=lower, upper=upper, most=most):
                epsilon, least = real(answer["epsilon"]), real(answer["epsilon_lower"])
                if 0 < epsilon < float("inf"):
                    GAPS.append(1 - least / epsilon)
                return between(epsilon, lower, upper) or between(least, 0.0, min(epsilon, most))

            batch.ask(record["kind"], name, case, check)
        theirs = [
            real(row["epsilon"])
            for row in record["results"]
            if row["accountant"] == "RDP" and row["delta"] == delta and row.get("epsilon") is not None
        ]
        # A negative epsilon is none.
        if theirs and min(theirs) >= 0:
            case = {"phases": phases(record), "delta": delta, "accountant": "rdp"}
            most = min(theirs) * (1 + 1e-6)

            def check(answer, lower=lower, most=most):
                return between(real(answer["epsilon"]), lower, most)

            batch.ask("rdp epsilon", f"{record['id']} at {delta} by rdp", case, check)


def deltas(record, batch):
    rows = collections.defaultdict(dict)
    for row in record["results"]:
        if row.get("delta") is not None:
            rows[row["epsilon"]][row["accountant"], row["bound"]] = row["delta"]
    for epsilon, row in rows.items():
        exact = [delta for (_, bound), delta in row.items() if bound.startswith("exact")]
        upper = min(delta for (_, bound), delta in row.items() if bound == "upper")
        lower = max([delta for (_, bound), delta in row.items() if bound == "lower"] + exact)
        if lower < ROUNDING and not exact:
            lower = 0.0
        case = {"phases": phases(record), "epsilon": epsilon, "accountant": "pld"}

        def check(answer, lower=lower, upper=upper):
            return between(answer["delta"], lower, upper * (1 + TOLERANCE))

        batch.ask(record["kind"], f"{record['id']} at epsilon {epsilon}", case, check)


def calibrations(record, batch):
    theirs = [
        row["noise_multiplier"]
        for row in record["results"]
        if row["library"] == "dp-accounting" and row["accountant"] == "PLD"
    ]
    exact = [row["noise_multiplier"] for row in record["results"] if "exact" in row.get("bound", "")]
    wanted = min(exact + theirs)
    case = {
        "epsilon": record["target_epsilon"],
        "delta": record["delta"],
        "sampling_rate": record["q"],
        "steps": record["steps"],
    }

    def check(answer):
        target = record["target_epsilon"]
        return between(answer["epsilon"], target * 0.999, target) or between(
            answer["noise_multiplier"], wanted * (1 - TOLERANCE), wanted * (1 + TOLERANCE)
        )

    batch.ask(record["kind"], record["id"], case, check)


def curves(record, batch):
    case = {
        "sampling_rate": record["q"],
        "noise_multiplier": record["sigma"],
        "orders": [row["order"] for row in record["results"]],
    }
    exact = [real(row["exact_rdp"]) for row in record["results"]]

    def check(answer):
        for found, wanted, row in zip(answer["rdp"], exact, record["results"], strict=True):
            if abs(real(found) - wanted) > 1e-9 * wanted:
                return f"order {row['order']}: {found!r} for {wanted!r}"
        return None

    batch.ask(record["kind"], record["id"], case, check)


def contrast(record, batch):
    """Only add-or-remove-one with Poisson sampling is ours."""
    for row in record["results"]:
        if row.get("adjacency") == "ADD_OR_REMOVE_ONE" and row.get("sampling") == "poisson":
            phase = {k: record[k] for k in ("q", "sigma", "steps")}
            case = {
                "phases": phases({"phases": [phase]}),
                "delta": row["delta"],
                "accountant": "pld",
            }
            upper = row["epsilon"]

            def check(answer, upper=upper):
                return between(
                    answer["epsilon"], answer["epsilon_lower"], upper * (1 + TOLERANCE) + SLACK
                )

            batch.ask(record["kind"], f"{record['id']} at {row['delta']}", case, check)


def main():
    records = json.load(open(sys.argv[1], encoding="utf-8"))["records"]
    program = sys.argv[2] if len(sys.argv) > 2 else ".build/release/aegis"
    batches = {name: Batch(name) for name in ("epsilon", "delta", "calibrate", "rdp")}
    puts = {
        "delta_at_epsilon": (deltas, "delta"),
        "calibration": (calibrations, "calibrate"),
        "rdp_curve": (curves, "rdp"),
        "other_adjacency_or_sampling": (contrast, "epsilon"),
    }
    counts, faults = collections.defaultdict(lambda: [0, 0]), []
    for record in records:
        if record["kind"].startswith("audit_") or record["kind"] == "correlated_noise":
            continue
        put, command = puts.get(record["kind"], (epsilons, "epsilon"))
        put(record, batches[command])
    slowest = {name: batch.run(program, counts, faults) for name, batch in batches.items()}
    print(f"{'kind':<28} {'right':>6} {'off':>6}")
    for kind in sorted(counts):
        print(f"{kind:<28} {counts[kind][0]:>6} {counts[kind][1]:>6}")
    right = sum(good for good, _ in counts.values())
    print(f"{'all':<28} {right:>6} {len(faults):>6}")
    gaps = sorted(GAPS) or [0.0]
    shares = [f"{gaps[int(share * (len(gaps) - 1))]:.3%}" for share in (0.5, 0.9, 0.99, 1)]
    print("lower bounds are below by: median, 90 %, 99 %, most: " + ", ".join(shares))
    print("slowest: " + ", ".join(f"{name} {took * 1e3:.0f} ms" for name, took in slowest.items()))
    for fault in faults:
        print("off: " + fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
