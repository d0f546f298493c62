"""What the benchmarks share: pairs, NumPy's side of the kernel, running the program, the command line."""
from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Sequence

THREADS = 2
# Before NumPy loads its BLAS. OMP_NUM_THREADS rules Debian's OpenMP build of OpenBLAS, the other one NumPy's own.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = str(THREADS)

try:
    import h5py
    import numpy as np
except ImportError as error:
    sys.exit(f"benchmarks: {error} (Debian: python3-numpy python3-h5py)")

ROOT = Path(__file__).resolve().parent.parent
CIFAR = ROOT.parent / "shared/data/cifar-10-batches-bin/data_batch_1.bin"
CROP = 20


def load_images(count: int) -> tuple[np.ndarray, str]:
    """count x 3 x 32 x 32, from CIFAR-10 where it is there, else smooth random images with edges."""
    if CIFAR.is_file() and CIFAR.stat().st_size // 3073 >= count:
        records = np.fromfile(CIFAR, dtype=np.uint8, count=count * 3073).reshape(count, 3073)
        return records[:, 1:].reshape(count, 3, 32, 32).astype(float), "CIFAR-10 crops"
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:32, 0:32]
    images = np.empty((count, 3, 32, 32))
    for image in images:
        image[:] = rng.uniform(0, 255, 3)[:, None, None]
        for _ in range(25):
            row, column, radius = rng.uniform(0, 32), rng.uniform(0, 32), 2 / rng.uniform(0.1, 1)
            image[:, (y - row) ** 2 + (x - column) ** 2 < radius**2] = rng.uniform(0, 255, 3)[:, None]
    return images, "random discs"


def make_pairs(count: int) -> tuple[np.ndarray, np.ndarray, str]:
    """Two random crops of each image, standardised per channel, one row per sample."""
    images, source = load_images(count)
    images = (images - images.mean(axis=(0, 2, 3), keepdims=True)) / images.std(axis=(0, 2, 3), keepdims=True)
    rng = np.random.default_rng(1)
    views = []
    for _ in range(2):
        corners = rng.integers(0, 32 - CROP + 1, (count, 2))
        crops = [image[:, r:r + CROP, c:c + CROP] for image, (r, c) in zip(images, corners)]
        views.append(np.stack(crops).reshape(count, -1))
    return views[0], views[1], source


def relu_ntk(samples: np.ndarray, depth: int) -> np.ndarray:
    """THEORY's recursion with weight variance 2 and no biases; the angle of a sample with itself is 0."""
    c = 2 * (samples @ samples.T) / samples.shape[1]
    norms = np.diag(c)
    product = np.outer(norms, norms)
    theta = c.copy()
    _, kind = np.unique(samples, axis=0, return_inverse=True)
    equal = kind[:, None] == kind[None, :]
    for _ in range(depth):
        sine = np.sqrt(np.maximum(product - c * c, 0))
        sine[equal] = 0
        angle = np.arctan2(sine, c)
        theta *= (np.pi - angle) / np.pi
        c = (sine + (np.pi - angle) * c) / np.pi
        theta += c
    return theta


def run_stepwise(program: Path, pairs: Path, output: Path, words: Sequence[object], ranks: int = THREADS,
                 threads: int | None = 1, mpirun: Sequence[str] = ()) -> tuple[float, str]:
    """Seconds of the whole process, start to end, and what it printed. threads = None: OMP_NUM_THREADS is not set."""
    environment = {key: value for key, value in os.environ.items() if not key.endswith("_NUM_THREADS")}
    if threads is not None:
        environment.update(OMP_NUM_THREADS=str(threads))
    if os.geteuid() == 0:
        environment.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    command = ["mpirun", "-n", str(ranks), *mpirun, str(program), "solve", "--data.source", "hdf5", "--data.path",
               str(pairs), "--kernel.type", "ntk", "--kernel.depth", "3", *map(str, words), "--output", str(output),
               "--force"]
    start = time.perf_counter()
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return seconds, done.stdout


def stage_seconds(report: str, *names: str) -> float:
    """The sum of some rows of stepwise's timing table."""
    total = 0.0
    for name in names:
        row = re.search(rf"^{re.escape(name)}\s+([0-9.]+)\s", report, re.MULTILINE)
        if row is None:
            sys.exit(f"no stage '{name}' in\n{report}")
        total += float(row.group(1))
    return total


def write_pairs(path: Path, first: np.ndarray, second: np.ndarray) -> Path:
    with h5py.File(path, "w") as file:
        file["view_a"], file["view_b"] = first, second
    return path


def parse_arguments(description: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=2000)
    parser.add_argument("--modes", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--program", type=Path, default=ROOT / "build/release/bin/stepwise")
    arguments = parser.parse_args()
    if not arguments.program.is_file():
        sys.exit(f"{arguments.program} is not there: build it first (cmake --build --preset release)")
    return arguments
