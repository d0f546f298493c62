#!/usr/bin/env python3
"""How the whole job grows: with the number of samples, with ranks, in memory, and with the way threads are set.

Leading modes of a ReLU NTK of depth 3 on crops (--solver.method krylov). Times are of the whole process; runs that are
compared alternate, and medians count.

    bench/scaling.py [--pairs 8000] [--modes 50] [--repeats 3] [--program build/release/bin/stepwise]

--pairs is the largest size; each one before is half of it, down to 1000. Last lines: BENCH name=...
"""
from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from common import THREADS, make_pairs, np, parse_arguments, run_stepwise, stage_seconds, write_pairs

UNITS = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def peak_bytes(report: str) -> float:
    """Peak memory of all ranks together."""
    found = re.search(r"peak memory .* on one rank, ([0-9.]+) (\w+) on all", report)
    if found is None:
        sys.exit(f"no peak memory in\n{report}")
    return float(found.group(1)) * UNITS[found.group(2)]


def main() -> int:
    arguments = parse_arguments(__doc__)
    sizes = [arguments.pairs]
    while sizes[0] >= 2000:
        sizes.insert(0, sizes[0] // 2)
    words = ["--solver.method", "krylov", "--modes", arguments.modes]
    lines: list[str] = []
    with tempfile.TemporaryDirectory(prefix="stepwise-bench-") as folder:
        output = Path(folder, "result.h5")
        files, features = {}, 0
        for size in sizes:
            first, second, source = make_pairs(size)
            files[size], features = write_pairs(Path(folder, f"{size}.h5"), first, second), first.shape[1]
        print(f"{source}, {arguments.modes} modes, {THREADS} ranks x 1 thread", flush=True)

        def median(size: int, runs: dict[str, dict]) -> dict[str, tuple[float, str]]:
            """Runs all in turn; for each the median time and the report of its last run."""
            seconds = {name: [] for name in runs}
            reports = {}
            for _ in range(arguments.repeats):
                for name, how in runs.items():
                    taken, reports[name] = run_stepwise(arguments.program, files[size], output, words, **how)
                    seconds[name].append(taken)
            return {name: (float(np.median(seconds[name])), reports[name]) for name in runs}

        print(f"{'2n':>7} {'passes':>7} {'kernel':>9} {'products':>9} {'rest':>9} {'total':>9} {'exponent':>9} "
              f"{'peak / (8 N^2 + inputs)':>25}")
        before = None
        for size in sizes:
            total, report = median(size, {"run": {}})["run"]
            passes = re.search(r"in (\d+) rounds", report)
            kernel, products = (stage_seconds(report, name) for name in ("kernel matrix", "products with K"))
            rest = stage_seconds(report, "orthogonalisation")
            exponent = np.log2(total / before) if before else float("nan")
            samples = 2 * size
            memory = peak_bytes(report) / (8 * samples**2 + 8 * samples * features)
            print(f"{samples:>7} {passes.group(1) if passes else '':>7} {kernel:>7.2f} s {products:>7.2f} s "
                  f"{rest:>7.2f} s {total:>7.2f} s {exponent:>9.2f} {memory:>25.2f}", flush=True)
            lines.append(f"BENCH name=growth n={samples} seconds={total:.2f} exponent={exponent:.2f} "
                         f"peak_memory_ratio={memory:.2f}")
            before = total

        size = min(4000, arguments.pairs)
        times = median(size, {"one": {"ranks": 1}, "two": {"ranks": 2}})
        lines.append(f"BENCH name=ranks n={2 * size} one_rank_s={times['one'][0]:.2f} two_ranks_s={times['two'][0]:.2f} "
                     f"ratio={times['one'][0] / times['two'][0]:.2f}")

        size = min(2000, arguments.pairs)
        free = ["--bind-to", "none"]
        times = median(size, {"2 ranks, 1 thread each": {"ranks": 2, "threads": 1},
                              "1 rank, 2 threads": {"ranks": 1, "threads": 2, "mpirun": free},
                              "2 ranks, nothing set": {"ranks": 2, "threads": None, "mpirun": free},
                              "1 rank, nothing set": {"ranks": 1, "threads": None, "mpirun": free}})
        best = min(seconds for seconds, _ in times.values())
        for name, (seconds, _) in times.items():
            lines.append(f"BENCH name=threads setting='{name}' n={2 * size} seconds={seconds:.2f} "
                         f"over_best={seconds / best:.2f}")
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
