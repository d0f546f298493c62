#!/usr/bin/env python3
"""srun without OMP_NUM_THREADS against settings by hand, under a SLURM of one node that this script starts.

Times are of the whole srun, start to end, on synthetic images; runs that are compared alternate. Medians
count; on a busy machine the fastest runs say more.

    bench/slurm_threads.py [--pairs 2000] [--modes 50] [--repeats 3] [--program build/release/bin/stepwise]

Last lines: BENCH name=...
"""
from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from common import ROOT, np, parse_arguments

sys.path.insert(0, str(ROOT / "tests/slurm"))
from cluster import Cluster, Unavailable  # noqa: E402

SETTINGS = {  # tasks, cores per task, OMP_NUM_THREADS
    "2 ranks, nothing set": (2, 1, None),
    "1 rank, nothing set": (1, 2, None),
    "2 ranks, 1 thread each": (2, 1, 1),
    "1 rank, 2 threads": (1, 2, 2),
}


def main() -> int:
    arguments = parse_arguments(__doc__)
    try:
        with Cluster(cpus=2) as cluster, tempfile.TemporaryDirectory(prefix="stepwise-bench-") as folder:
            for name in [name for name in cluster.environment if name.endswith("_NUM_THREADS")]:
                del cluster.environment[name]
            for method in ("krylov", "cholesky"):
                measure(cluster, arguments, method, Path(folder, "result.h5"))
    except Unavailable as reason:
        sys.exit(f"no SLURM: {reason}")
    return 0


def measure(cluster: Cluster, arguments, method: str, output: Path) -> None:
    seconds: dict[str, list[float]] = {name: [] for name in SETTINGS}
    for _ in range(arguments.repeats):
        for name, (tasks, cores, threads) in SETTINGS.items():
            start = time.perf_counter()
            run = cluster.run("srun", "--mpi=pmix", f"--ntasks={tasks}", f"--cpus-per-task={cores}",
                              str(arguments.program), "solve", "--data.pairs", str(arguments.pairs), "--modes",
                              str(arguments.modes), "--solver.method", method, "--output", str(output), "--force",
                              environment={} if threads is None else {"OMP_NUM_THREADS": str(threads)})
            seconds[name].append(time.perf_counter() - start)
            if run.returncode != 0:
                sys.exit(run.stdout + run.stderr)
    medians = {name: float(np.median(values)) for name, values in seconds.items()}
    fastest = {name: min(values) for name, values in seconds.items()}
    for name in SETTINGS:
        print(f"BENCH name=slurm_threads method={method} n={2 * arguments.pairs} setting='{name}' "
              f"median_s={medians[name]:.2f} over_best={medians[name] / min(medians.values()):.2f} "
              f"fastest_s={fastest[name]:.2f} over_best={fastest[name] / min(fastest.values()):.2f}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
