#!/usr/bin/env python3
"""A few leading modes by products with K: `stepwise solve --solver.method krylov` against SciPy's ARPACK on (1/N) P K.

SciPy gets two threads, stepwise two ranks with one thread each. Comparisons: the whole job (the peers evaluate the ReLU
NTK in NumPy first, and go on with ARPACK or with the paper's recipe, two dense eigensolves, once; stepwise's time is
the process from start to end), the modes alone (stepwise's own timing of products and orthogonalisation), and these
against the products alone. Runs alternate, the medians are compared, and all must find the same gamma.

    bench/leading_modes.py [--pairs 2000] [--modes 50] [--repeats 3] [--program build/release/bin/stepwise]

Last lines: BENCH name=... n=... modes=... peer_s=... stepwise_s=... ratio=...
"""
from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from common import (THREADS, h5py, make_pairs, np, parse_arguments, relu_ntk,  # sets the number of threads first
                    run_stepwise, stage_seconds, write_pairs)
from paper_recipe import paper_recipe

try:
    from scipy.sparse.linalg import LinearOperator, eigs
except ImportError as error:
    sys.exit(f"leading_modes: {error} (Debian: python3-scipy)")

TOLERANCE = 1e-10


def arpack(k: np.ndarray, modes: int) -> np.ndarray:
    """gamma of the leading modes: the largest eigenvalues of T = (1/N) P K, views stacked."""
    samples = len(k)
    half = samples // 2

    def apply(v: np.ndarray) -> np.ndarray:
        product = k @ v / samples
        return np.concatenate([product[half:], product[:half]])

    operator = LinearOperator((samples, samples), matvec=apply, matmat=apply, dtype=float)
    values = eigs(operator, k=modes, which="LR", tol=TOLERANCE, return_eigenvectors=True)[0]
    return np.sort(values.real)[::-1]


def main() -> int:
    arguments = parse_arguments(__doc__)
    first, second, source = make_pairs(arguments.pairs)
    samples = np.concatenate([first, second])
    print(f"2n = {len(samples)}, {source}, ReLU NTK of depth 3, {arguments.modes} modes to {TOLERANCE}; "
          f"SciPy with {THREADS} threads, stepwise with {THREADS} ranks x 1 thread", flush=True)
    times: dict[str, list[float]] = {"kernel": [], "arpack": [], "job": [], "alone": [], "products": []}
    with tempfile.TemporaryDirectory(prefix="stepwise-bench-") as folder:
        pairs, output = write_pairs(Path(folder, "pairs.h5"), first, second), Path(folder, "result.h5")
        words = ["--solver.method", "krylov", "--modes", arguments.modes]
        print(f"{'run':>4} {'NumPy K':>10} {'ARPACK':>10} {'job':>10} {'modes':>10} {'products':>10}", flush=True)
        for repeat in range(arguments.repeats):
            start = time.perf_counter()
            k = relu_ntk(samples, 3)
            times["kernel"].append(time.perf_counter() - start)
            start = time.perf_counter()
            expected = arpack(k, arguments.modes)
            times["arpack"].append(time.perf_counter() - start)
            seconds, report = run_stepwise(arguments.program, pairs, output, words)
            times["job"].append(seconds)
            times["alone"].append(stage_seconds(report, "products with K", "orthogonalisation"))
            times["products"].append(stage_seconds(report, "products with K"))
            print(f"{repeat + 1:>4} " + " ".join(f"{times[key][-1]:>8.2f} s" for key in times), flush=True)
        with h5py.File(output, "r") as file:
            gamma = file["spectrum/gamma"][: arguments.modes]
    start = time.perf_counter()
    dense = paper_recipe(k, arguments.pairs)[: arguments.modes]
    recipe = time.perf_counter() - start
    difference = np.max(np.abs(gamma - np.stack([expected, dense]))) / gamma[0]
    print(f"\nstepwise's own account of its last run:\n{report}")
    print(f"largest difference of the {arguments.modes} gammas, divided by the first: {difference:.2g}")
    median = {key: float(np.median(values)) for key, values in times.items()}
    for name, peer, own in (("job_against_recipe", median["kernel"] + recipe, median["job"]),
                            ("job_against_arpack", median["kernel"] + median["arpack"], median["job"]),
                            ("modes_against_arpack", median["arpack"], median["alone"]),
                            ("products_against_modes", median["products"], median["alone"])):
        print(f"BENCH name={name} n={len(samples)} modes={arguments.modes} peer_s={peer:.3f} stepwise_s={own:.3f} "
              f"ratio={peer / own:.2f}")
    if difference > 1e-8:
        print("leading_modes: the two do not agree", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
