#!/usr/bin/env python3
"""Times one rule of ByzFL or Flower on the inputs' shape that aegis-aggregation-speed uses.

    aggregation_peers.py PEER RULE N D THREADS [SECONDS]

PEER is byzfl, byzfl-torch or flower. Prints one JSON object a run; "error" where the peer has no
such rule or runs out of memory. Flower is called as its strategies call it.
"""
import json
import os
import resource
import sys
import time

peer, rule, n, d, threads = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
seconds = float(sys.argv[6]) if len(sys.argv) > 6 else 3
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = str(threads)

import numpy as np  # noqa: E402  (after the number of threads)


def byzfl_call(rows, f):
    from unittest.mock import MagicMock

    # Needed by its data sets only.
    sys.modules.setdefault("torchvision", MagicMock())
    import byzfl

    if peer == "byzfl-torch":
        import torch

        torch.set_num_threads(threads)
        rows = torch.from_numpy(rows)
    rules = {
        "mean": lambda: byzfl.Average(),
        "median": lambda: byzfl.Median(),
        "trimmed_mean": lambda: byzfl.TrMean(f),
        "krum": lambda: byzfl.Krum(f),
        "multi_krum": lambda: byzfl.MultiKrum(f),
        "geometric_median": lambda: byzfl.GeometricMedian(nu=0.1, T=3),
        "centered_clipping": lambda: byzfl.CenteredClipping(tau=0.5 * d**0.5, L=3),
        "nnm+trimmed_mean": lambda: lambda x: byzfl.TrMean(f)(byzfl.NNM(f)(x)),
    }
    make = rules[rule]
    return lambda: make()(rows)


def flower_call(rows, f):
    from flwr.server.strategy import aggregate

    results = [([row], 1) for row in rows]
    rules = {
        "mean": lambda: aggregate.aggregate(list(results)),
        "median": lambda: aggregate.aggregate_median(list(results)),
        # A little above f/n: its fraction is truncated.
        "trimmed_mean": lambda: aggregate.aggregate_trimmed_avg(list(results), (f + 0.5) / n),
        "krum": lambda: aggregate.aggregate_krum(list(results), f, 0),
        "multi_krum": lambda: aggregate.aggregate_krum(list(results), f, n - f),
        "bulyan": lambda: aggregate.aggregate_bulyan(
            list(results), f, aggregate.aggregate_krum, to_keep=0
        ),
    }
    return rules[rule]


def main():
    record = {"peer": peer, "rule": rule, "n": n, "d": d, "threads": threads}
    f = (n - 3) // 4 if rule == "bulyan" else n // 5
    rows = np.random.default_rng(12345).uniform(-1, 1, (n, d)).astype(np.float32)
    wall, processor = [], []
    try:
        call = (flower_call if peer == "flower" else byzfl_call)(rows, f)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.perf_counter()
        while len(wall) < 2 or time.perf_counter() - start < seconds:
            began, used = time.perf_counter(), time.process_time()
            call()
            wall.append(time.perf_counter() - began)
            processor.append(time.process_time() - used)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        record.update(
            seconds_min=min(wall),
            seconds_median=sorted(wall)[len(wall) // 2],
            cpu_seconds_min=min(processor),
            extra_mib=(peak - before) / 1024,
            repetitions=len(wall),
        )
    except KeyError:
        record["error"] = "no such rule"
    except Exception as error:
        record["error"] = f"{type(error).__name__}: {str(error)[:120]}"
    print(json.dumps(record))


main()
