"""Times `aegis privacy` and two Python libraries on the same questions, and prints a table.

Ours are the seconds that the program reports for each case, the least of five; theirs the least
of three in a process of its own for each library. Peak memory is that of the program, or of the
interpreter with the library, as a whole. A next step is asked for after all of the others.

Noise is added to a sum of 2^20 values in single precision, on one thread, the best of fifty times;
the others' is not from a cryptographic generator.
"""

import importlib.util
import json
import logging
import resource
import subprocess
import sys
import time
import warnings

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)

Q, SIGMA, STEPS, DELTA, TARGET = 0.01, 1.0, 10_000, 1e-5, 3.0
# Steps after those whose time is shared out to a next step.
NEXT = 100
PHASE = {"sampling_rate": Q, "noise_multiplier": SIGMA, "steps": STEPS}


def ours(program, command, case, repetitions=5):
    """The answer, and the least of its seconds."""
    lines = "".join(json.dumps({"id": i, **case}) + "\n" for i in range(repetitions))
    done = subprocess.run(
        [program, "privacy", command, "--batch", "-"],
        input=lines,
        capture_output=True,
        text=True,
        check=True,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    return answers[0], min(answer["seconds"] for answer in answers)


def theirs(question, repetitions=3):
    best, value = float("inf"), None
    for _ in range(repetitions):
        start = time.perf_counter()
        value = question()
        best = min(best, time.perf_counter() - start)
    return value, best


def peak(who):
    return resource.getrusage(who).ru_maxrss / 1024


def show(name, value, seconds):
    print(f"{name:<52} {value:>12.6f} {seconds * 1e3:>12.2f} ms", flush=True)


def show_rate(name, values_per_second):
    print(f"{name:<52} {values_per_second / 1e6:>12.1f} million a second", flush=True)


def run_ours(program, noise_program):
    for kind in ("rdp", "pld"):
        case = {"phases": [PHASE], "delta": DELTA, "accountant": kind}
        answer, seconds = ours(program, "epsilon", case)
        show(f"epsilon   aegis {kind}", answer["epsilon"], seconds)
        if kind == "pld":
            show("          not below", answer["epsilon_lower"], 0.0)
    for kind in ("rdp", "pld"):
        case = {
            "epsilon": TARGET,
            "delta": DELTA,
            "sampling_rate": Q,
            "steps": STEPS,
            "accountant": kind,
        }
        answer, seconds = ours(program, "calibrate", case)
        show(f"sigma     aegis {kind}", answer["noise_multiplier"], seconds)
    case = {"phases": [PHASE], "delta": DELTA, "accountant": "pld", "next_steps": NEXT}
    answer, _ = ours(program, "epsilon", case)
    show("next step aegis pld", answer["epsilon_next"][0], answer["seconds_next"] / NEXT)
    memory = peak(resource.RUSAGE_CHILDREN)
    done = subprocess.run([noise_program], capture_output=True, text=True, check=True)
    for line in done.stdout.splitlines():
        generator, instructions, rate = line.split()
        show_rate(f"noise     aegis {generator}, {instructions}", float(rate))
    print(f"peak memory of aegis: {memory:.0f} MB\n", flush=True)


def run_dp_accounting():
    import dp_accounting as dp
    from dp_accounting import pld, rdp

    def event(sigma):
        sampled = dp.PoissonSampledDpEvent(Q, dp.GaussianDpEvent(sigma))
        return dp.SelfComposedDpEvent(sampled, STEPS)

    accountants = {
        "rdp": rdp.RdpAccountant,
        "pld, interval 1e-4": lambda: pld.PLDAccountant(value_discretization_interval=1e-4),
    }
    for name, make in accountants.items():
        show(
            f"epsilon   dp-accounting {name}",
            *theirs(lambda: make().compose(event(SIGMA)).get_epsilon(DELTA)),
        )
    for name, make in accountants.items():
        bracket = dp.ExplicitBracketInterval(0.5, 4)
        show(
            f"sigma     dp-accounting {name}",
            *theirs(lambda: dp.calibrate_dp_mechanism(make, event, TARGET, DELTA, bracket), 1),
        )
    for name, make in accountants.items():
        accountant = make().compose(event(SIGMA))
        one = dp.PoissonSampledDpEvent(Q, dp.GaussianDpEvent(SIGMA))
        show(
            f"next step dp-accounting {name}",
            *theirs(lambda: accountant.compose(one).get_epsilon(DELTA)),
        )


def run_opacus():
    from opacus.accountants import PRVAccountant, RDPAccountant
    from opacus.accountants.utils import get_noise_multiplier

    def epsilon(kind):
        accountant = kind()
        accountant.history = [(SIGMA, Q, STEPS)]
        return float(accountant.get_epsilon(delta=DELTA))

    for name, kind in (("rdp", RDPAccountant), ("prv", PRVAccountant)):
        show(f"epsilon   opacus {name}", *theirs(lambda: epsilon(kind)))
    for name in ("rdp", "prv"):
        show(
            f"sigma     opacus {name}",
            *theirs(
                lambda: get_noise_multiplier(
                    target_epsilon=TARGET,
                    target_delta=DELTA,
                    sample_rate=Q,
                    steps=STEPS,
                    accountant=name,
                ),
                1,
            ),
        )
    for name, kind in (("rdp", RDPAccountant), ("prv", PRVAccountant)):
        accountant = kind()
        accountant.history = [(SIGMA, Q, STEPS)]

        def step():
            accountant.step(noise_multiplier=SIGMA, sample_rate=Q)
            return float(accountant.get_epsilon(delta=DELTA))

        show(f"next step opacus {name}", *theirs(step))


def run_torch():
    import numpy
    import torch

    count = 1 << 20
    torch.set_num_threads(1)
    generator = numpy.random.default_rng()
    array, tensor = numpy.zeros(count, numpy.float32), torch.zeros(count)

    def with_numpy():
        nonlocal array
        array += 1.5 * generator.standard_normal(count, numpy.float32)

    def with_torch():
        tensor.add_(torch.normal(0.0, 1.5, (count,)))

    for name, question in (("torch", with_torch), ("numpy, PCG64", with_numpy)):
        show_rate(f"noise     {name}", count / theirs(question, 50)[1])


PEERS = {"dp_accounting": run_dp_accounting, "opacus": run_opacus, "torch": run_torch}


def main():
    if len(sys.argv) > 3:
        PEERS[sys.argv[3]]()
        print(f"peak memory of {sys.argv[3]}: {peak(resource.RUSAGE_SELF):.0f} MB\n", flush=True)
        return
    print(f"q={Q} sigma={SIGMA} steps={STEPS} delta={DELTA}; sigma for epsilon {TARGET}\n")
    run_ours(*sys.argv[1:3])
    for module in PEERS:
        if importlib.util.find_spec(module) is None:
            print(f"{module} is not installed: left out")
        else:
            subprocess.run([sys.executable, __file__, *sys.argv[1:3], module], check=True)


if __name__ == "__main__":
    main()
