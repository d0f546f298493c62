#!/usr/bin/env python3
"""The paper's recipe in NumPy against `stepwise solve --solver.method cholesky`, on the same pairs and cores.

The recipe, from a given kernel matrix K: eigh(K), K^(+1/2), K_Gamma = K^(+1/2) Z K^(+1/2), eigh(K_Gamma). NumPy gets two
threads, stepwise two ranks with one thread each. For stepwise the whole process counts: start, reading, building K,
solving, embeddings, writing. Runs alternate, the medians are compared, and both must find the same gamma.

    bench/paper_recipe.py [--pairs 2000] [--modes 50] [--repeats 3] [--program build/release/bin/stepwise]

Last line: BENCH name=paper_recipe n=... numpy_s=... stepwise_s=... ratio=...
"""
from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

THREADS = 2
# Before NumPy loads its BLAS. OMP_NUM_THREADS rules Debian's OpenMP build of OpenBLAS, the other one NumPy's own.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = str(THREADS)

try:
    import h5py
    import numpy as np
except ImportError as error:
    sys.exit(f"paper_recipe: {error} (Debian: python3-numpy python3-h5py)")

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


def paper_recipe(k: np.ndarray, pairs: int) -> np.ndarray:
    """gamma, descending, as the paper computes it."""
    values, vectors = np.linalg.eigh(k)
    kept = values > len(k) * np.finfo(float).eps * values[-1]
    inverse_root = (vectors[:, kept] / np.sqrt(values[kept])) @ vectors[:, kept].T
    z = (k[:, :pairs] @ k[pairs:, :] + k[:, pairs:] @ k[:pairs, :]) / len(k)
    gamma, _ = np.linalg.eigh(inverse_root @ z @ inverse_root)
    return gamma[::-1]


def run_stepwise(program: Path, pairs: Path, output: Path, modes: int,
                 method: str = "cholesky") -> tuple[float, str]:
    environment = dict(os.environ, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    if os.geteuid() == 0:
        environment.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    command = ["mpirun", "-n", str(THREADS), str(program), "solve", "--data.source", "hdf5", "--data.path", str(pairs),
               "--kernel.type", "ntk", "--kernel.depth", "3", "--solver.method", method, "--modes", str(modes),
               "--output", str(output), "--force"]
    start = time.perf_counter()
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if done.returncode != 0:
        sys.exit(f"paper_recipe: {' '.join(command)}\n{done.stdout}{done.stderr}")
    return seconds, done.stdout


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


def main() -> int:
    arguments = parse_arguments(__doc__)
    first, second, source = make_pairs(arguments.pairs)
    samples = 2 * arguments.pairs
    print(f"2n = {samples}, {source}, ReLU NTK of depth 3, {arguments.modes} modes; "
          f"NumPy {np.__version__} with {THREADS} threads, stepwise with {THREADS} ranks x 1 thread", flush=True)
    k = relu_ntk(np.concatenate([first, second]), 3)
    numpy_seconds, stepwise_seconds = [], []
    with tempfile.TemporaryDirectory(prefix="stepwise-bench-") as folder:
        pairs, output = Path(folder, "pairs.h5"), Path(folder, "result.h5")
        with h5py.File(pairs, "w") as file:
            file["view_a"], file["view_b"] = first, second
        print(f"{'run':>4} {'NumPy':>10} {'stepwise':>10} {'ratio':>8}", flush=True)
        for repeat in range(arguments.repeats):
            start = time.perf_counter()
            expected = paper_recipe(k, arguments.pairs)
            numpy_seconds.append(time.perf_counter() - start)
            seconds, report = run_stepwise(arguments.program, pairs, output, arguments.modes)
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
