#!/usr/bin/env python3
"""Training a fully connected network: seconds a step, beside NumPy and PyTorch (where it is installed) on as many cores.

The same full-batch descent of the same ReLU network by the simplified Barlow Twins loss, in double precision: the
paper's (100 samples of 1200 numbers, width 2048) and a deeper one. stepwise trains the former also in the span of its
samples, as `simulate` does, which is the same training. Runs that are compared alternate; medians count.

    bench/network_steps.py [--repeats 3] [--steps 20] [--program build/release/bin/bench_network_steps]

Last lines: BENCH name=...
"""
from __future__ import annotations

import argparse
import importlib.util
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CASES = {"paper": (100, 1200, 2048, 1, 10), "deep": (512, 1200, 1024, 3, 32)}  # samples, inputs, width, depth, outputs
RATE = 1e-4


def numpy_steps(shape: tuple[int, ...], steps: int) -> float:
    import numpy as np

    n, inputs, width, depth, outputs = shape
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, inputs))
    sizes = [inputs] + [width] * depth + [outputs]
    weights = [rng.standard_normal(pair) * np.sqrt(2 / pair[0]) for pair in zip(sizes, sizes[1:])]
    weights[-1] *= 1e-2
    swap = np.arange(n) ^ 1
    seconds = []
    for _ in range(steps + 1):
        start = time.perf_counter()
        signals, slopes = [x], []
        for w in weights[:-1]:
            z = signals[-1] @ w
            slopes.append(z > 0)
            signals.append(np.maximum(z, 0, out=z))
        f = signals[-1] @ weights[-1]
        residual = f.T @ f[swap] / n - np.eye(outputs)
        back = 4 / n * (f[swap] @ residual)
        for layer in range(depth, -1, -1):
            gradient = signals[layer].T @ back
            if layer > 0:
                back = back @ weights[layer].T
                back *= slopes[layer - 1]
            gradient *= RATE * 2 / sizes[layer]
            weights[layer] -= gradient
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:])


def torch_steps(shape: tuple[int, ...], steps: int) -> float:
    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    torch.set_default_dtype(torch.float64)
    n, inputs, width, depth, outputs = shape
    sizes = [inputs] + [width] * depth + [outputs]
    layers: list[torch.nn.Module] = []
    for fan_in, fan_out in zip(sizes, sizes[1:]):
        layers += [torch.nn.Linear(fan_in, fan_out, bias=False), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    with torch.no_grad():
        model[-1].weight *= 1e-2
    groups = [{"params": [p], "lr": RATE * 2 / p.shape[1]} for p in model.parameters()]
    optimiser = torch.optim.SGD(groups)
    x = torch.randn(n, inputs)
    swap = torch.arange(n) ^ 1
    seconds = []
    for _ in range(steps + 1):
        start = time.perf_counter()
        optimiser.zero_grad()
        f = model(x)
        loss = ((f.T @ f[swap] / n - torch.eye(outputs)) ** 2).sum()
        loss.backward()
        optimiser.step()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:])


PEERS = {"numpy": numpy_steps, "torch": torch_steps}


def environment(threads: int) -> dict[str, str]:
    found = dict(os.environ, OMP_NUM_THREADS=str(threads), OPENBLAS_NUM_THREADS=str(threads))
    if os.geteuid() == 0:
        found.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    return found


def measured(command: list[str], threads: int) -> float:
    done = subprocess.run(command, env=environment(threads), capture_output=True, text=True, stdin=subprocess.DEVNULL)
    seconds = re.search(r"step_s=([0-9.]+)", done.stdout)
    if done.returncode != 0 or seconds is None:
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return float(seconds.group(1))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--program", type=Path, default=ROOT / "build/release/bin/bench_network_steps")
    parser.add_argument("--peer", choices=PEERS, help=argparse.SUPPRESS)
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peer:
        print(f"step_s={PEERS[arguments.peer](CASES[arguments.case], arguments.steps):.6f}")
        return 0
    if not arguments.program.is_file():
        sys.exit(f"{arguments.program} is not there: configure with -DSTEPWISE_BENCHMARKS=ON and build it first")

    peers = [name for name in PEERS if importlib.util.find_spec(name)]
    print(f"beside {', '.join(peers)}; full batch, double precision")
    print(f"{'network':>8} {'cores':>6} {'stepwise':>10} " + " ".join(f"{peer:>10} {'ratio':>6}" for peer in peers))
    lines = []
    for case, shape in CASES.items():
        alone = {}
        for cores in (1, 2):
            grids = ["1"] if cores == 1 else ["1", "2"]
            own = {f"width ranks {grid}": ["mpirun", "-n", str(cores), str(arguments.program), *map(str, shape),
                                           str(arguments.steps), grid] for grid in grids}
            if shape[0] < shape[1]:
                own["in the span"] = [*own[f"width ranks {grids[-1]}"], "1"]
            runs = {name: (command, 1) for name, command in own.items()}
            runs.update({peer: ([sys.executable, __file__, "--peer", peer, "--case", case, "--steps",
                                 str(arguments.steps)], cores) for peer in peers})
            seconds: dict[str, list[float]] = {name: [] for name in runs}
            for _ in range(arguments.repeats):
                for name, (command, threads) in runs.items():
                    seconds[name].append(measured(command, threads))
            median = {name: statistics.median(values) for name, values in seconds.items()}
            for name in own:
                if cores == 1:
                    alone[name] = median[name]
                print(f"{case:>8} {cores:>6} {1e3 * median[name]:>7.1f} ms " +
                      " ".join(f"{1e3 * median[peer]:>7.1f} ms {median[peer] / median[name]:>6.2f}" for peer in peers) +
                      f"   ({name})", flush=True)
                lines.append(f"BENCH name=network-{case} how={name.replace(' ', '-')} cores={cores} "
                             f"step_s={median[name]:.5f} " +
                             " ".join(f"{peer}_over_stepwise={median[peer] / median[name]:.3f}" for peer in peers) +
                             f" speedup={alone.get(name, alone['width ranks 1']) / median[name]:.3f}")
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
