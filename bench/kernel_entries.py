#!/usr/bin/env python3
"""Entries of NTK matrices a second: bench_kernel_entries against the textbook recursion in NumPy, on two cores.

NumPy, plain: the recursion as it is usually written, one expression after the other on whole arrays; BLAS has two
threads, the rest one. A symmetric matrix is evaluated whole, which the rate does not show.
NumPy, tuned: inner products by BLAS with two threads, then two Python threads through blocks that stay in the cache, in place.
Fully connected: cosines alone, as ReLU with weight variance 2 keeps lengths. Images: lengths of the signals beforehand;
flatten takes one image with many others at once, gap the four-dimensional array of a pair; sums over patches along one
direction after the other. Blocks are timed for a second, and every entry of a block counts.
stepwise: two threads, for gap two ranks; half of a symmetric matrix, in double and in single precision.
Runs alternate, medians are compared, and entries of `stepwise kernel` must agree with NumPy's to 1e-10.

GFLOP/s are counted flops of stepwise's own code, roots and quotients as one each. Vectors of m numbers: 2 m for the
inner product, 14 for the first layer, 61 for each activation with the affine layer behind it. Images, for each pair of
pixels: 10 to begin, 19 a convolution (12 of these for sums over patches), 58 a ReLU, 8 for the readout.

    bench/kernel_entries.py [--repeats 3] [--only TEXT] [--program build/release/bin/stepwise]

Last lines: BENCH name=kernel_entries network=... side=... plain_per_s=... tuned_per_s=...
    stepwise_per_s=... over_plain=... over_tuned=... single_per_s=... gflops=... of_dgemm=...
"""
from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Callable, Iterator

from common import ROOT, THREADS, h5py, load_images, np, write_pairs  # sets the number of threads first

CONVOLUTIONS = "conv 3, relu, conv 3, relu, conv 3, relu"
NETWORKS = {"fc-1": "fc-1", "fc-3": "fc-3", "fc-10": "fc-10", "cnn-3": f"{CONVOLUTIONS}, flatten, dense",
            "cnn-gap-3": f"{CONVOLUTIONS}, gap, dense"}
# Images in stepwise's matrix: enough for about a second, with gap for a few.
IMAGES = {("fc-1", 20): 4000, ("fc-3", 20): 4000, ("fc-10", 20): 3000, ("fc-1", 32): 3000, ("fc-3", 32): 3000,
          ("fc-10", 32): 2000, ("cnn-3", 20): 512, ("cnn-3", 32): 384, ("cnn-gap-3", 20): 48, ("cnn-gap-3", 32): 32}
LAYERS = {"fc-1": 1, "fc-3": 3, "fc-10": 10, "cnn-3": 3, "cnn-gap-3": 3}
SECONDS = 1.0
CHECKED = 4  # pairs of images whose entries are compared


def flops(name: str, side: int) -> float:
    """Of an entry, counted from the code."""
    if name.startswith("fc"):
        return 2 * 3 * side**2 + 14 + 61 * LAYERS[name]
    return (10 + (19 + 58) * LAYERS[name] + 8) * (side**4 if "gap" in name else side**2)


def standardised(count: int, side: int) -> np.ndarray:
    """count x 3 x side x side: the images, or a crop of each."""
    images, _ = load_images(count)
    images = (images - images.mean(axis=(0, 2, 3), keepdims=True)) / images.std(axis=(0, 2, 3), keepdims=True)
    corners = np.random.default_rng(1).integers(0, 33 - side, (count, 2))
    return np.stack([image[:, r:r + side, c:c + side] for image, (r, c) in zip(images, corners)])


def arc_cosine(c: np.ndarray, angle: np.ndarray, sine: np.ndarray) -> None:
    """c <- sin th + (pi - th) cos th and angle <- pi - th of cosines c."""
    np.minimum(c, 1, out=c)
    np.maximum(c, -1, out=c)
    np.arccos(c, out=angle)
    np.multiply(c, c, out=sine)
    np.subtract(1, sine, out=sine)
    np.sqrt(sine, out=sine)
    np.subtract(np.pi, angle, out=angle)
    c *= angle
    c += sine


class Vectors:
    """Blocks of the NTK of a fully connected ReLU network."""

    ROWS, PART = 256, 8

    def __init__(self, images: np.ndarray, depth: int, pool: ThreadPoolExecutor) -> None:
        self.depth, self.pool = depth, pool
        x = images.reshape(len(images), -1)
        lengths = np.sqrt(np.sum(x * x, axis=1))
        self.directions = x / lengths[:, None]
        self.scales = lengths * np.sqrt(2 / x.shape[1])

    def block(self, rows: slice) -> np.ndarray:
        """These rows of the matrix."""
        c = self.directions[rows] @ self.directions.T

        def part(first: int) -> np.ndarray:
            own = c[first:first + self.PART]
            t, angle, sine = own.copy(), np.empty_like(own), np.empty_like(own)
            for _ in range(self.depth):
                arc_cosine(own, angle, sine)
                own *= 1 / np.pi
                angle *= 1 / np.pi
                t *= angle
                t += own
            t *= self.scales
            t *= self.scales[rows][first:first + self.PART, None]
            return t

        return np.concatenate(list(self.pool.map(part, range(0, len(c), self.PART))))

    def entries(self, count: int) -> np.ndarray:
        return self.block(slice(0, count))[:, :count]

    def steps(self) -> Iterator[int]:
        """Evaluates a block and says how many entries that were, again and again."""
        while True:
            yield self.block(slice(0, self.ROWS)).size


def add_neighbours(field: np.ndarray, to: np.ndarray, axes: tuple[int, ...]) -> None:
    """to <- field + its neighbours before and behind along all of `axes` at once."""
    np.copyto(to, field)
    before, behind = (tuple(part if axis in axes else slice(None) for axis in range(field.ndim))
                      for part in (slice(None, -1), slice(1, None)))
    to[behind] += field[before]
    to[before] += field[behind]


class Images:
    """Entries of the NTK of convolutions 3 x 3 with ReLU, flatten or gap, dense; weight variance 2.

    The factors 2/9 of the sums over patches and 1/(2 pi) are left to the lengths: a layer is c <- sums(c),
    t <- sums(c + t), then ReLU."""

    OTHERS = 32

    def __init__(self, images: np.ndarray, depth: int, gap: bool, pool: ThreadPoolExecutor) -> None:
        self.depth, self.gap, self.pool = depth, gap, pool
        self.x = images
        a = np.mean(images**2, axis=1)
        sums = np.empty_like(a)
        self.before, self.after = [], []  # 1 / length of the sums that enter a ReLU, and length / sqrt(2 pi)
        for _ in range(depth):
            add_neighbours(a, sums, (1,))
            add_neighbours(sums, a, (2,))
            self.before.append(1 / np.sqrt(a))
            a *= 2 / 9
            self.after.append(np.sqrt(a / (2 * np.pi)))
            a *= 0.5

    def walk(self, c: np.ndarray, pick: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
             axes: tuple[tuple[int, ...], tuple[int, ...]]) -> np.ndarray:
        """c + t behind the last ReLU, from the inputs' c."""
        t = c.copy()
        angle, sine = np.empty_like(c), np.empty_like(c)
        for layer in range(self.depth):
            if layer > 0:
                t += c
            for field in (c, t) if layer > 0 else (c,):
                add_neighbours(field, sine, axes[0])
                add_neighbours(sine, field, axes[1])
            if layer == 0:
                np.copyto(t, c)
            for lengths in pick(self.before[layer]):
                c *= lengths
            arc_cosine(c, angle, sine)
            angle *= 2 / 9 / (2 * np.pi)
            t *= angle
            for lengths in pick(self.after[layer]):
                c *= lengths
        t += c
        return t

    def row(self, i: int, others: slice) -> np.ndarray:
        """One image with others."""
        if not self.gap:
            c = np.einsum("cyx,jcyx->jyx", self.x[i], self.x[others]) / 3
            t = self.walk(c, lambda lengths: (lengths[i], lengths[others]), ((1,), (2,)))
            return 2 * np.mean(t, axis=(1, 2))
        values = []
        for j in range(*others.indices(len(self.x))):
            c = np.einsum("cij,ckl->ijkl", self.x[i], self.x[j]) / 3
            t = self.walk(c, lambda lengths: (lengths[i][:, :, None, None], lengths[j]), ((0, 2), (1, 3)))
            values.append(2 * np.mean(t))
        return np.array(values)

    def entries(self, count: int) -> np.ndarray:
        return np.stack([self.row(i, slice(0, count)) for i in range(count)])

    def steps(self) -> Iterator[int]:
        others = slice(1, 2) if self.gap else slice(0, self.OTHERS)
        rows = range(THREADS if self.gap else 8 * THREADS)
        while True:
            yield sum(len(values) for values in self.pool.map(lambda i: self.row(i, others), rows))


def plain_relu(c: np.ndarray, t: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """c and t behind a ReLU, from those before and the variances of both sides, which broadcast."""
    angle = np.pi - np.arctan2(np.sqrt(np.maximum(a * b - c * c, 0)), c)
    return (np.sqrt(np.maximum(a * b - c * c, 0)) + angle * c) / (2 * np.pi), t * angle / (2 * np.pi)


def plain_vectors(images: np.ndarray, depth: int) -> Iterator[int]:
    """The whole matrix, again and again."""
    x = images.reshape(len(images), -1)
    while True:
        c = 2 * (x @ x.T) / x.shape[1]
        t = c
        for _ in range(depth):
            a = np.diag(c)
            c, t = plain_relu(c, t, a[:, None], a[None, :])
            c = 2 * c
            t = c + 2 * t
        yield t.size


def patch_means(field: np.ndarray, axes: tuple[tuple[int, ...], tuple[int, ...]]) -> np.ndarray:
    first, second = np.empty_like(field), np.empty_like(field)
    add_neighbours(field, first, axes[0])
    add_neighbours(first, second, axes[1])
    return second / 9


def plain_images(images: np.ndarray, depth: int, gap: bool) -> Iterator[int]:
    """Entries of pairs of images, again and again: one image with all (flatten), or one pair (gap)."""
    variances = []
    a = np.mean(images**2, axis=1)
    for _ in range(depth):
        a = 2 * patch_means(a, ((1,), (2,)))
        variances.append(a)
        a = a / 2
    while True:
        x, others = images[0], images[1] if gap else images
        c = np.einsum("cij,ckl->ijkl" if gap else "cyx,jcyx->jyx", x, others) / 3
        t = np.zeros_like(c)
        for layer in range(depth):
            axes = ((0, 2), (1, 3)) if gap else ((1,), (2,))
            c = 2 * patch_means(c, axes)
            t = c + 2 * patch_means(t, axes)
            own = variances[layer][0]
            c, t = plain_relu(c, t, own[:, :, None, None] if gap else own,
                              variances[layer][1][None, None] if gap else variances[layer])
        yield 1 if gap else len(np.mean(2 * (c + t), axis=(1, 2)))


def numpy_rate(steps: Iterator[int]) -> float:
    """Entries a second."""
    done = 0
    start = time.perf_counter()
    for entries in steps:
        done += entries
        seconds = time.perf_counter() - start
        if seconds > SECONDS:
            return done / seconds


def environment(threads: int) -> dict[str, str]:
    result = {key: value for key, value in os.environ.items() if not key.endswith("_NUM_THREADS")}
    result.update(OMP_NUM_THREADS=str(threads))
    if os.geteuid() == 0:
        result.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    return result


def run(command: list[object], threads: int) -> str:
    words = [str(word) for word in command]
    done = subprocess.run(words, env=environment(threads), stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(words)}\n{done.stdout}{done.stderr}")
    return done.stdout


def stepwise_rate(program: Path, name: str, side: int, precision: str) -> float:
    command = [program.parent / "bench_kernel_entries", NETWORKS[name], IMAGES[name, side], side,
               1 if "gap" in name else 3, precision]
    report = run(["mpirun", "-n", THREADS, *command], 1) if "gap" in name else run(command, THREADS)
    return float(re.search(r"entries_per_s=(\S+)", report).group(1))


def dgemm_rate(n: int = 2000) -> float:
    """GFLOP/s."""
    a = np.random.default_rng(0).standard_normal((n, n))
    start = time.perf_counter()
    a @ a
    return 2e-9 * n**3 / (time.perf_counter() - start)


def largest_difference(program: Path, name: str, images: np.ndarray, expected: np.ndarray) -> float:
    """Between different images of `stepwise kernel` and `expected`, relative to the entry: an image with itself is
    where the textbook's angle loses half of its digits."""
    half = len(images) // 2
    with tempfile.TemporaryDirectory(prefix="stepwise-bench-") as folder:
        pairs, output = write_pairs(Path(folder, "pairs.h5"), images[:half], images[half:]), Path(folder, "kernel.h5")
        run([program, "kernel", "--data.source", "hdf5", "--data.path", pairs, "--kernel.type", "ntk",
             "--kernel.network", NETWORKS[name], "--output", output], THREADS)
        with h5py.File(output, "r") as file:
            actual = file["kernel/train"][()]
    return float(np.max(np.abs(actual / expected - 1)[~np.eye(len(images), dtype=bool)]))


def measure(program: Path, repeats: int, name: str, side: int, pool: ThreadPoolExecutor) -> str:
    """Prints a row and returns the last line about it."""
    fully_connected = name.startswith("fc")
    images = standardised(2000 if fully_connected else Images.OTHERS, side)
    peer = Vectors(images, LAYERS[name], pool) if fully_connected else Images(images, LAYERS[name], "gap" in name, pool)
    difference = largest_difference(program, name, images[:CHECKED], peer.entries(CHECKED))
    if not difference < 1e-10:
        sys.exit(f"kernel_entries: {name}, {side} x {side}: the two do not agree, {difference:.2g}")
    rates: dict[str, list[float]] = {"plain": [], "tuned": [], "double": [], "single": [], "dgemm": []}
    for _ in range(repeats):
        rates["dgemm"].append(dgemm_rate())
        plain = (plain_vectors(images, LAYERS[name]) if fully_connected
                 else plain_images(images, LAYERS[name], "gap" in name))
        rates["plain"].append(numpy_rate(plain))
        rates["tuned"].append(numpy_rate(peer.steps()))
        for precision in ("double", "single"):
            rates[precision].append(stepwise_rate(program, name, side, precision))
    plain_s, tuned, double, single, dgemm = (float(np.median(values)) for values in rates.values())
    work = flops(name, side) * double / 1e9
    print(f"{name:<10} {side:>4} {flops(name, side):>10.4g} {plain_s:>10.4g} {tuned:>10.4g} {double:>10.4g} "
          f"{double / plain_s:>7.2f} {double / tuned:>7.2f} {1e9 / double:>11.4g} {work:>8.1f} {work / dgemm:>8.2f} "
          f"{single:>10.4g} {difference:>9.1g}", flush=True)
    return (f"BENCH name=kernel_entries network={name} side={side} plain_per_s={plain_s:.5g} tuned_per_s={tuned:.5g} "
            f"stepwise_per_s={double:.5g} over_plain={double / plain_s:.3f} over_tuned={double / tuned:.3f} "
            f"single_per_s={single:.5g} gflops={work:.2f} of_dgemm={work / dgemm:.3f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", default="", help="rows whose name and side, 'cnn-3 20', contain this")
    parser.add_argument("--program", type=Path, default=ROOT / "build/release/bin/stepwise")
    arguments = parser.parse_args()
    for program in (arguments.program, arguments.program.parent / "bench_kernel_entries"):
        if not program.is_file():
            sys.exit(f"{program} is not there: build it first (cmake --build --preset release)")
    rows = [key for key in IMAGES if arguments.only in f"{key[0]} {key[1]}"]
    if not rows:
        sys.exit(f"kernel_entries: --only {arguments.only}: no such row")
    print(f"NTK entries a second, {THREADS} cores, NumPy {np.__version__}; medians of {arguments.repeats}\n"
          f"{'network':<10} {'side':>4} {'flops':>10} {'plain/s':>10} {'tuned/s':>10} {'stepwise/s':>10} "
          f"{'/plain':>7} {'/tuned':>7} {'stepwise ns':>11} {'GFLOP/s':>8} {'of DGEMM':>8} {'single/s':>10} "
          f"{'difference':>9}",
          flush=True)
    with ThreadPoolExecutor(THREADS) as pool:
        lines = [measure(arguments.program, arguments.repeats, name, side, pool) for name, side in rows]
    print("\n" + "\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
