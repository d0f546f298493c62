#!/usr/bin/env python3
"""A few leading modes by products with K: `stepwise solve --solver.method krylov` against SciPy's ARPACK on (1/N) P K.

SciPy gets two threads, stepwise two ranks with one thread each. Two comparisons: the whole job (SciPy's side evaluates
the ReLU NTK in NumPy first; stepwise's is the process from start to end), and the modes alone (stepwise's own timing of
products and orthogonalisation). Runs alternate, the medians are compared, and both must find the same gamma.

    bench/leading_modes.py [--pairs 2000] [--modes 50] [--repeats 3] [--program build/release/bin/stepwise]

Last lines: BENCH name=leading_modes_job|leading_modes_alone n=... modes=... scipy_s=... stepwise_s=... ratio=...
"""
from __future__ import annotations

import re
import sys
import tempfile
import time
from pathlib import Path

from paper_recipe import THREADS, h5py, make_pairs, np, parse_arguments, relu_ntk, run_stepwise  # sets the threads first

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


def stage_seconds(report: str, *names: str) -> float:
    """The sum of some rows of stepwise's timing table."""
    total = 0.0
    for name in names:
        row = re.search(rf"^{re.escape(name)}\s+([0-9.]+)\s", report, re.MULTILINE)
        if row is None:
            sys.exit(f"leading_modes: no stage '{name}' in\n{report}")
        total += float(row.group(1))
    return total


def main() -> int:
    arguments = parse_arguments(__doc__)
    first, second, source = make_pairs(arguments.pairs)
    samples = np.concatenate([first, second])
    print(f"2n = {len(samples)}, {source}, ReLU NTK of depth 3, {arguments.modes} modes to {TOLERANCE}; "
          f"SciPy with {THREADS} threads, stepwise with {THREADS} ranks x 1 thread", flush=True)
    times: dict[str, list[float]] = {"kernel": [], "arpack": [], "job": [], "alone": []}
    with tempfile.TemporaryDirectory(prefix="stepwise-bench-") as folder:
        pairs, output = Path(folder, "pairs.h5"), Path(folder, "result.h5")
        with h5py.File(pairs, "w") as file:
            file["view_a"], file["view_b"] = first, second
        print(f"{'run':>4} {'NumPy K':>10} {'ARPACK':>10} {'job':>10} {'modes':>10}", flush=True)
        for repeat in range(arguments.repeats):
            start = time.perf_counter()
            k = relu_ntk(samples, 3)
            times["kernel"].append(time.perf_counter() - start)
            start = time.perf_counter()
            expected = arpack(k, arguments.modes)
            times["arpack"].append(time.perf_counter() - start)
            seconds, report = run_stepwise(arguments.program, pairs, output, arguments.modes, "krylov")
            times["job"].append(seconds)
            times["alone"].append(stage_seconds(report, "products with K", "orthogonalisation"))
            print(f"{repeat + 1:>4} " + " ".join(f"{times[key][-1]:>8.2f} s" for key in times), flush=True)
        with h5py.File(output, "r") as file:
            gamma = file["spectrum/gamma"][: arguments.modes]
    difference = np.max(np.abs(gamma - expected)) / gamma[0]
    print(f"\nstepwise's own account of its last run:\n{report}")
    print(f"largest difference of the {arguments.modes} gammas, divided by the first: {difference:.2g}")
    median = {key: float(np.median(values)) for key, values in times.items()}
    for name, peer, own in (("job", median["kernel"] + median["arpack"], median["job"]),
                            ("alone", median["arpack"], median["alone"])):
        print(f"BENCH name=leading_modes_{name} n={len(samples)} modes={arguments.modes} scipy_s={peer:.3f} "
              f"stepwise_s={own:.3f} ratio={peer / own:.2f}")
    if difference > 1e-8:
        print("leading_modes: the two do not agree", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
