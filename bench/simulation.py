#!/usr/bin/env python3
"""Steps of gradient descent a second, linear and kernel model, beside NumPy with as many threads, in turns.

NumPy does what one writes first: F = W Phi^T, C = F P F^T / N, W += rate 4 (I - C) (F P) Phi / N, or with K for F. Both
sides count their fastest stretch of about 0.2 s, for others may be at work on the cores; with one thread in all, of
processor time.

    bench/simulation.py [--rounds 4] [--sizes 500x1200x10 2000x1200x10]    (pairs x features x outputs)
"""
from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable

PROGRAM = Path(__file__).resolve().parent.parent / "build/release/bin/bench_simulation"
SETTINGS = {"2 ranks": (2, 1), "1 rank, 2 threads": (1, 2), "1 rank": (1, 1)}


def models(pairs: int, features: int, outputs: int) -> dict[str, Callable[[], None]]:
    import numpy as np  # in a process of its own, which has the right number of threads

    rng = np.random.default_rng(0)
    samples = 2 * pairs
    phi = rng.standard_normal((samples, features))
    swap = np.r_[pairs:samples, 0:pairs]
    push = 1e-9 * 4 / samples
    state = {"w": 1e-3 * rng.standard_normal((outputs, features)), "f": 1e-3 * rng.standard_normal((outputs, samples))}
    k = phi @ phi.T
    eye = np.eye(outputs)

    def linear() -> None:
        f = state["w"] @ phi.T
        fp = f[:, swap]
        c = f @ fp.T / samples
        state["w"] += push * ((eye - c) @ (fp @ phi))

    def kernel() -> None:
        fp = state["f"][:, swap]
        c = state["f"] @ fp.T / samples
        state["f"] += push * ((eye - c) @ (fp @ k))

    return {"linear": linear, "kernel": kernel}


def run_numpy(size: list[int], stretches: int) -> None:
    clock = time.process_time if os.environ["OMP_NUM_THREADS"] == "1" else time.perf_counter
    for name, step in models(*size).items():
        def seconds(steps: int) -> float:
            start = clock()
            for _ in range(steps):
                step()
            return clock() - start

        seconds(2)
        steps = max(5, int(0.2 * 5 / seconds(5)))
        print(f"BENCH name={name} steps_per_s={steps / min(seconds(steps) for _ in range(stretches))}")


def measure(command: list[str], threads: int) -> dict[str, float]:
    environment = {key: value for key, value in os.environ.items() if not key.endswith("_NUM_THREADS")}
    environment.update(OMP_NUM_THREADS=str(threads), OPENBLAS_NUM_THREADS=str(threads),
                       OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return {name: float(rate) for name, rate in re.findall(r"name=(\S+) steps_per_s=(\S+)", done.stdout)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--stretches", type=int, default=6)
    parser.add_argument("--sizes", nargs="+", default=["500x1200x10", "2000x1200x10"])
    parser.add_argument("--numpy", action="store_true", help="measure NumPy alone, in this process")
    arguments = parser.parse_args()
    if arguments.numpy:
        run_numpy([int(word) for word in arguments.sizes[0].split("x")], arguments.stretches)
        return
    if not PROGRAM.is_file():
        sys.exit(f"{PROGRAM} is not there: configure with -DSTEPWISE_BENCHMARKS=ON and build")
    stretches = str(arguments.stretches)
    for size in arguments.sizes:
        best: dict[tuple[str, str], float] = {}
        for _ in range(arguments.rounds):
            for setting, (ranks, threads) in SETTINGS.items():
                numpy = [sys.executable, __file__, "--numpy", "--sizes", size, "--stretches", stretches]
                own = ["mpirun", "-n", str(ranks), "--bind-to", "none", str(PROGRAM), *size.split("x"), stretches]
                rates = {f"NumPy {name}": rate for name, rate in measure(numpy, ranks * threads).items()}
                rates.update(measure(own, threads))
                for name, rate in rates.items():
                    best[setting, name] = max(best.get((setting, name), 0.0), rate)
        for name in ("linear", "linear-pass", "kernel"):
            for setting in SETTINGS:
                peer = best[setting, f"NumPy {name.removesuffix('-pass')}"]
                own_rate = best[setting, name]
                print(f"{size} {name}, {setting}: NumPy {peer:.0f} /s, stepwise {own_rate:.0f} /s, ratio "
                      f"{own_rate / peer:.2f}")


if __name__ == "__main__":
    main()
