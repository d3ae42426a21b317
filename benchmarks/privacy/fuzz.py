"""Puts nasty questions to `aegis privacy … --batch`, and says what is slow, large or wrong.

    python3 benchmarks/privacy/fuzz.py [AEGIS] [--cases N] [--seed S] [--show N]

Rates, noise, steps, deltas, epsilons, orders and phases are drawn log-uniformly between extremes
that nobody trains at. Each mechanism is asked for epsilon by every accountant, then for delta at
what was found; each budget for what meets it. Wrong is:

    an error, or no answer              where the case is a legal one
    epsilon_lower above epsilon         of any accountant
    delta(epsilon(delta)) above delta   by more than 3 %; or, at epsilon_lower, below delta
    calibrate above its target          or more than 0.1 % below it, where noise and rate are
                                        neither the least nor the most there are; steps such
                                        that one more would do. Where it says that the bound
                                        jumps, that is listed.
    a divergence that falls             as its order grows, or above the Gaussian's
    over 1 s or 256 MB                  CPU seconds of the program, for one case

Ends with 1 where anything is.
"""

import argparse
import json
import math
import os
import random
import subprocess
import sys
import threading
import time

SECONDS_MOST, MEGABYTES_MOST = 1.0, 256.0
SECONDS_PATIENCE = 60.0


def real(value):
    return math.inf if value == "inf" else value


class Draw:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def log(self, least, most):
        return math.exp(self.random.uniform(math.log(least), math.log(most)))

    def rate(self):
        kind = self.random.random()
        if kind < 0.06:
            return 1.0
        if kind < 0.10:
            return 1 - self.log(1e-15, 0.5)
        return self.log(1e-12, 1)

    def noise(self):
        kind = self.random.random()
        if kind < 0.6:
            return self.log(0.3, 30)
        if kind < 0.97:
            return self.log(1e-3, 1e5)
        return self.log(1e-150, 1e150)

    def steps(self):
        return int(self.log(1, 1e9)) if self.random.random() < 0.95 else 10**9

    def delta(self):
        return self.log(1e-12, 1e-2) if self.random.random() < 0.6 else self.log(1e-30, 0.9)

    def epsilon(self):
        return self.log(0.01, 30) if self.random.random() < 0.6 else self.log(1e-9, 1e4)

    def phase(self):
        return {
            "sampling_rate": self.rate(),
            "noise_multiplier": self.noise(),
            "steps": self.steps(),
        }

    def phases(self):
        kind = self.random.random()
        if kind < 0.75:
            return [self.phase()]
        if kind < 0.95:
            return [self.phase() for _ in range(self.random.randint(2, 8))]
        count = int(self.log(20, 3e3) if kind < 0.998 else 1e5)
        near = self.phase()
        if self.random.random() < 0.5:
            return [self.phase() for _ in range(count)]
        return [
            {
                "sampling_rate": min(1, near["sampling_rate"] * self.random.uniform(0.5, 2)),
                "noise_multiplier": near["noise_multiplier"] * self.random.uniform(0.5, 2),
                "steps": max(1, near["steps"] // count),
            }
            for _ in range(count)
        ]


class Report:
    def __init__(self):
        self.seconds, self.megabytes, self.faults = [], [], []
        self.answers = 0

    def ran(self, command, case, seconds, megabytes):
        self.answers += 1
        if sys.stderr.isatty():
            print(f"\r{self.answers} answers, {len(self.faults)} off ", end="", file=sys.stderr)
        self.seconds.append((seconds, command, case))
        self.megabytes.append((megabytes, command, case))

    def wrong(self, command, case, what):
        self.faults.append(f"{command}: {what}: {brief(case)}")


def brief(case):
    text = json.dumps(case)
    if len(text) > 400:
        text = f"{text[:200]} … ({len(case.get('phases', []))} phases) … {text[-120:]}"
    return text


def ask(program, command, cases, report):
    """The answers, with what each took of CPU time and of memory."""
    answers = []
    while len(answers) < len(cases):
        answers += ask_some(program, command, cases[len(answers) :], report)
        if len(answers) < len(cases):
            # It hung or ended on this one: the next ones are asked without it.
            answers.append({"error": "no answer"})
    return answers


def ask_some(program, command, cases, report):
    """As far as it answers."""
    path = f"/tmp/aegis-privacy-fuzz.{os.getpid()}.jsonl"
    with open(path, "w", encoding="utf-8") as file:
        for index, case in enumerate(cases):
            file.write(json.dumps({"id": index, **case}) + "\n")
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    child = subprocess.Popen(
        [program, "privacy", command, "--batch", path], stdout=subprocess.PIPE, env=environment
    )
    clock = (~child.pid << 3) | 2
    answers, spent = [], 0.0
    while True:
        patience = threading.Timer(SECONDS_PATIENCE, child.kill)
        patience.start()
        line = child.stdout.readline()
        patience.cancel()
        if not line:
            break
        try:
            now, peak = time.clock_gettime(clock), peak_megabytes(child.pid)
        except OSError:
            now, peak = spent, 0.0
        answers.append(json.loads(line))
        report.ran(command, cases[len(answers) - 1], now - spent, peak)
        spent = now
    child.wait()
    if len(answers) < len(cases):
        why = "no answer" if child.returncode == -9 else f"ended with {child.returncode}"
        report.wrong(command, cases[len(answers)], why)
    os.unlink(path)
    return answers


def peak_megabytes(process):
    """Since the last time it was asked for."""
    with open(f"/proc/{process}/status", encoding="ascii") as status:
        peak = next((int(line.split()[1]) for line in status if line.startswith("VmHWM")), 0)
    with open(f"/proc/{process}/clear_refs", "w", encoding="ascii") as references:
        references.write("5")
    return peak / 1024


def mechanisms(program, draw, count, report):
    questions = [(draw.phases(), draw.delta()) for _ in range(count)]
    kinds = ("rdp", "pld", "best")
    cases = [
        {"phases": phases, "delta": delta, "accountant": kind}
        for phases, delta in questions
        for kind in kinds
    ]
    answers = ask(program, "epsilon", cases, report)
    loose, follow = [], []
    for index, (phases, delta) in enumerate(questions):
        found = dict(zip(kinds, answers[3 * index : 3 * index + 3], strict=True))
        case = cases[3 * index + 2]
        faults = [answer["error"] for answer in found.values() if "error" in answer]
        if faults:
            report.wrong("epsilon", case, faults[0])
            continue
        upper = {kind: real(answer["epsilon"]) for kind, answer in found.items()}
        lower = real(found["best"]["epsilon_lower"])
        if lower > min(upper.values()):
            report.wrong("epsilon", case, f"{lower} is a lower bound, {upper} are upper ones")
        if upper["best"] > min(upper.values()) * (1 + 1e-12):
            report.wrong("epsilon", case, f"best is not the least of {upper}")
        if 0 < upper["best"] < math.inf:
            loose.append((1 - lower / upper["best"], case, lower, upper["best"]))
            for epsilon, kind in ((upper["best"], "upper"), (lower, "lower")):
                asked = {"phases": phases, "epsilon": epsilon, "accountant": "best"}
                follow.append((asked, delta, kind))
    deltas = ask(program, "delta", [asked for asked, _, _ in follow], report)
    for (case, delta, kind), answer in zip(follow, deltas, strict=True):
        if "error" in answer:
            report.wrong("delta", case, answer["error"])
        elif kind == "upper" and answer["delta"] > delta * 1.03:
            report.wrong("delta", case, f"{answer['delta']} where {delta} was shown")
        elif kind == "lower" and answer["delta"] < delta * (1 - 1e-9) and case["epsilon"] > 0:
            report.wrong("delta", case, f"{answer['delta']} where {delta} is exceeded")
    return sorted(loose, key=lambda row: -row[0])


def budgets(program, draw, count, report):
    cases = []
    for _ in range(count):
        case = {"epsilon": draw.epsilon(), "delta": draw.delta(), **draw.phase()}
        kind = draw.random.random()
        names = ("noise_multiplier", "steps", "sampling_rate")
        missing = names[0] if kind < 0.6 else draw.random.choice(names)
        del case[missing]
        case["accountant"] = draw.random.choice(("rdp", "pld", "best", "best"))
        cases.append(case)
    answers = ask(program, "calibrate", cases, report)
    again, wanted, jumps = [], [], []
    for case, answer in zip(cases, answers, strict=True):
        if "error" in answer:
            if "within 0.1 %" in answer["error"]:
                jumps.append(case)
            elif "least epsilon that can be reached" not in answer["error"]:
                report.wrong("calibrate", case, answer["error"])
            continue
        epsilon, target = real(answer["epsilon"]), case["epsilon"]
        if epsilon > target:
            report.wrong("calibrate", case, f"{answer} is above the target")
        found = {name: case.get(name, answer.get(name)) for name in names}
        if "steps" not in case:
            if epsilon < target * 0.999 and found["steps"] < 10**9:
                found["steps"] += 1
                again.append({**found, "delta": case["delta"], "accountant": case["accountant"]})
                wanted.append((case, target * 0.999, math.inf, answer))
            continue
        loosest = answer.get("sampling_rate") == 1 or answer.get("noise_multiplier", 1) <= 1e-6
        free = case["steps"] == 0 or case.get("sampling_rate") == 0
        if epsilon < target * 0.999 and not loosest and not free:
            report.wrong("calibrate", case, f"{answer} is {epsilon / target:.6f} of the target")
        again.append({**found, "delta": case["delta"], "accountant": case["accountant"]})
        wanted.append((case, epsilon * (1 - 1e-12), epsilon * (1 + 1e-12), answer))
    for (case, least, most, was), answer in zip(
        wanted, ask(program, "epsilon", again, report), strict=True
    ):
        if not least <= real(answer["epsilon"]) <= most:
            report.wrong("calibrate", case, f"{was}, of which epsilon says {answer}")
    return jumps


def divergences(program, draw, count, report):
    cases = []
    for _ in range(count):
        orders = sorted({1 + draw.log(1e-6, 1e6) for _ in range(8)} | {2.0, 64.0})
        rate, noise = draw.rate(), draw.noise()
        cases.append({"sampling_rate": rate, "noise_multiplier": noise, "orders": orders})
    for case, answer in zip(cases, ask(program, "rdp", cases, report), strict=True):
        if "error" in answer:
            report.wrong("rdp", case, answer["error"])
            continue
        values = [real(value) for value in answer["rdp"]]
        if any(b < a * (1 - 1e-8) for a, b in zip(values, values[1:], strict=False)):
            report.wrong("rdp", case, f"falls: {values}")
        gaussian = [order / 2 / case["noise_multiplier"] ** 2 for order in case["orders"]]
        if any(a > b * (1 + 1e-9) for a, b in zip(values, gaussian, strict=True)):
            report.wrong("rdp", case, f"{values} is above the Gaussian's {gaussian}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", nargs="?", default=".build/release/aegis")
    parser.add_argument("--cases", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, default=8)
    options = parser.parse_args()
    report, draw = Report(), Draw(options.seed)
    share = options.cases // 4
    loose = mechanisms(options.program, draw, 2 * share, report)
    jumps = budgets(options.program, draw, share, report)
    divergences(options.program, draw, share, report)

    print(f"{report.answers} answers, seed {options.seed}")
    for name, rows, unit in (
        ("slowest", report.seconds, "s"),
        ("largest", report.megabytes, "MB"),
    ):
        print(name + ":")
        for value, command, case in sorted(rows, key=lambda row: -row[0])[: options.show]:
            print(f"  {value:8.3f} {unit} {command} {brief(case)}")
    print(f"targets over which the bound jumps: {len(jumps)}")
    for case in jumps[: options.show]:
        print(f"  {brief(case)}")
    print("loosest lower bounds:")
    for gap, case, lower, upper in loose[: options.show]:
        print(f"  {gap:8.2%} {lower:.6g} … {upper:.6g} {brief(case)}")
    gaps = [row[0] for row in loose]
    for share in (0.5, 0.9, 0.99):
        if gaps:
            quantile = sorted(gaps)[int(share * (len(gaps) - 1))]
            print(f"  {share:.0%} of them are within {quantile:.3%}")
    for value, command, case in report.seconds:
        if value > SECONDS_MOST:
            report.wrong(command, case, f"took {value:.2f} s")
    for value, command, case in report.megabytes:
        if value > MEGABYTES_MOST:
            report.wrong(command, case, f"took {value:.0f} MB")
    for fault in report.faults:
        print("off: " + fault)
    print(f"{len(report.faults)} off")
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
