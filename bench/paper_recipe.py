#!/usr/bin/env python3
"""The paper's recipe in NumPy against `stepwise solve --solver.method cholesky`, on the same pairs and cores.

The recipe, from a given kernel matrix K: eigh(K), K^(+1/2), K_Gamma = K^(+1/2) Z K^(+1/2), eigh(K_Gamma). NumPy gets two
threads, stepwise two ranks with one thread each. For stepwise the whole process counts: start, reading, building K,
solving, embeddings, writing. Runs alternate, the medians are compared, and both must find the same gamma.

    bench/paper_recipe.py [--pairs 2000] [--modes 50] [--repeats 3] [--program build/release/bin/stepwise]

Last line: BENCH name=paper_recipe n=... numpy_s=... stepwise_s=... ratio=...
"""
from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from common import (THREADS, h5py, make_pairs, np, parse_arguments, relu_ntk,  # sets the number of threads first
                    run_stepwise, write_pairs)


def paper_recipe(k: np.ndarray, pairs: int) -> np.ndarray:
    """gamma, descending, as the paper computes it."""
    values, vectors = np.linalg.eigh(k)
    kept = values > len(k) * np.finfo(float).eps * values[-1]
    inverse_root = (vectors[:, kept] / np.sqrt(values[kept])) @ vectors[:, kept].T
    z = (k[:, :pairs] @ k[pairs:, :] + k[:, pairs:] @ k[:pairs, :]) / len(k)
    gamma, _ = np.linalg.eigh(inverse_root @ z @ inverse_root)
    return gamma[::-1]


def main() -> int:
    arguments = parse_arguments(__doc__)
    first, second, source = make_pairs(arguments.pairs)
    samples = 2 * arguments.pairs
    print(f"2n = {samples}, {source}, ReLU NTK of depth 3, {arguments.modes} modes; "
          f"NumPy {np.__version__} with {THREADS} threads, stepwise with {THREADS} ranks x 1 thread", flush=True)
    k = relu_ntk(np.concatenate([first, second]), 3)
    numpy_seconds, stepwise_seconds = [], []
    with tempfile.TemporaryDirectory(prefix="stepwise-bench-") as folder:
        pairs, output = write_pairs(Path(folder, "pairs.h5"), first, second), Path(folder, "result.h5")
        words = ["--solver.method", "cholesky", "--modes", arguments.modes]
        print(f"{'run':>4} {'NumPy':>10} {'stepwise':>10} {'ratio':>8}", flush=True)
        for repeat in range(arguments.repeats):
            start = time.perf_counter()
            expected = paper_recipe(k, arguments.pairs)
            numpy_seconds.append(time.perf_counter() - start)
            seconds, report = run_stepwise(arguments.program, pairs, output, words)
            stepwise_seconds.append(seconds)
            print(f"{repeat + 1:>4} {numpy_seconds[-1]:>8.2f} s {seconds:>8.2f} s "
                  f"{numpy_seconds[-1] / seconds:>8.2f}", flush=True)
        with h5py.File(output, "r") as file:
            gamma = file["spectrum/gamma"][: arguments.modes]
    difference = np.max(np.abs(gamma / expected[: arguments.modes] - 1))
    print(f"\nstepwise's own account of its last run:\n{report}")
    print(f"largest relative difference of the {arguments.modes} gammas: {difference:.2g}")
    numpy_s, stepwise_s = float(np.median(numpy_seconds)), float(np.median(stepwise_seconds))
    print(f"BENCH name=paper_recipe n={samples} modes={arguments.modes} numpy_s={numpy_s:.3f} "
          f"stepwise_s={stepwise_s:.3f} ratio={numpy_s / stepwise_s:.2f}")
    if difference > 1e-8:
        print("paper_recipe: the two do not agree", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
