"""Running the real program on small data, reading its result, comparing numbers."""
from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import unittest
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Iterable, Mapping

import h5py
import numpy as np

PROGRAM = os.environ.get("STEPWISE_PROGRAM", "stepwise")
MPIEXEC = os.environ.get("STEPWISE_MPIEXEC", "mpirun")
SHARED = Path(os.environ.get("STEPWISE_SHARED_DIR", Path(__file__).resolve().parents[3] / "shared"))

DONE, INPUT, IO, NUMERICAL, MEMORY = 0, 2, 3, 4, 5  # exit codes
TIMEOUT_SECONDS = 90


@dataclass
class Run:
    command: str
    code: int
    stdout: str
    stderr: str

    @cached_property
    def messages(self) -> list[str]:
        """What the program itself wrote to stderr: mpirun's own notices stand between lines of dashes."""
        kept, inside = [], False
        for line in self.stderr.splitlines():
            if re.fullmatch(r"-{60,}", line.strip()):
                inside = not inside
            elif not inside and line.strip():
                kept.append(line)
        return kept

    def __str__(self) -> str:
        return f"$ {self.command}\nexit code {self.code}\n{self.stdout}{self.stderr}"


def launch(arguments: Iterable[object], ranks: int = 1, cwd: str | Path | None = None) -> Run:
    """Runs the program; one rank means without mpirun. A run that does not end is killed with all its ranks."""
    command = [PROGRAM, *map(str, arguments)]
    if ranks > 1:
        command = [MPIEXEC, "-n", str(ranks), *command]
    # After a failure mpirun would otherwise wait a second or two before it ends.
    environment = dict(os.environ, OMPI_MCA_odls_base_sigkill_timeout="0")
    process = subprocess.Popen(command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        stdout, stderr = process.communicate(timeout=TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        raise AssertionError(f"no end after {TIMEOUT_SECONDS} s: {' '.join(command)}") from None
    return Run(" ".join(command), process.returncode, stdout, stderr)


@dataclass
class Result:
    """The numbers of a result file. Samples of dual and train are stacked: all first views, then all second views."""

    gamma: np.ndarray
    dual: np.ndarray
    tau: np.ndarray
    s0: np.ndarray
    time: np.ndarray
    curves: np.ndarray
    loss: np.ndarray
    train: np.ndarray
    test: np.ndarray | None

    @property
    def kernel_train(self) -> np.ndarray:
        """K_emb, free of signs."""
        return self.train @ self.train.T

    @property
    def kernel_test(self) -> np.ndarray:
        return self.test @ self.test.T


def read_result(path: Path) -> Result:
    with h5py.File(path, "r") as file:
        train = file["embeddings/train"][()]
        return Result(
            gamma=file["spectrum/gamma"][()], dual=file["modes/dual"][()], tau=file["timescales/tau"][()],
            s0=file["timescales/s0"][()], time=file["dynamics/time"][()], curves=file["dynamics/lambda"][()],
            loss=file["dynamics/loss"][()], train=train.reshape(-1, train.shape[2]),
            test=file["embeddings/test"][()] if "embeddings/test" in file else None)


def options_of(options: Mapping[str, object]) -> list[str]:
    """{"kernel.type": "rbf"} as command-line words; True is a bare flag."""
    words: list[str] = []
    for name, value in options.items():
        words += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    return words


def make_pairs(pairs: int, features: int, tests: int = 0, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Positive pairs with a few strong common directions, so that the leading modes are well apart."""
    rng = np.random.default_rng(seed)
    directions = rng.standard_normal((features, features)) * np.exp(-np.arange(features) / 4.0)[:, None]
    common = rng.standard_normal((pairs, features)) @ directions
    first, second = (common + 0.2 * rng.standard_normal((pairs, features)) for _ in range(2))
    return first, second, rng.standard_normal((tests, features)) @ directions


class ProgramTest(unittest.TestCase):
    """Gives each test a directory of its own, and inputs and runs inside it."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="stepwise-test-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.runs = 0

    def write_pairs(self, first: np.ndarray, second: np.ndarray, test: np.ndarray | None = None,
                    name: str = "pairs.h5", **more: np.ndarray) -> Path:
        path = self.folder / name
        with h5py.File(path, "w") as file:
            file["view_a"], file["view_b"] = first, second
            if test is not None and len(test):
                file["test"] = test
            for key, value in more.items():
                file[key] = value
        return path

    def solve_file(self, options: Mapping[str, object], ranks: int = 1) -> Path:
        """Runs `stepwise solve`, which must succeed, and returns the result file."""
        self.runs += 1
        output = self.folder / f"result{self.runs}.h5"
        run = launch(["solve", *options_of(options), "--output", output], ranks)
        self.assertEqual(run.code, DONE, str(run))
        self.assertTrue(output.is_file(), str(run))
        return output

    def solve(self, options: Mapping[str, object], ranks: int = 1) -> Result:
        return read_result(self.solve_file(options, ranks))

    def solve_pairs(self, path: Path, options: Mapping[str, object], ranks: int = 1) -> Result:
        return self.solve({"data.source": "hdf5", "data.path": path, **options}, ranks)

    def assert_close(self, actual: np.ndarray, expected: np.ndarray, tolerance: float, what: str,
                     scale: float | np.ndarray | None = None) -> None:
        """max |actual - expected| / scale <= tolerance; scale: max |expected| unless given (an array: by element)."""
        actual, expected = np.asarray(actual, float), np.asarray(expected, float)
        self.assertEqual(actual.shape, expected.shape, f"{what}: shape")
        self.assertTrue(np.all(np.isfinite(actual)), f"{what}: not finite")
        if scale is None:
            scale = np.max(np.abs(expected))
        error = np.max(np.abs(actual - expected) / scale)
        self.assertLessEqual(error, tolerance, f"{what}: off by {error:.3g}")

    def assert_relative(self, actual: np.ndarray, expected: np.ndarray, tolerance: float, what: str) -> None:
        """Every element to `tolerance` of itself."""
        self.assert_close(actual, expected, tolerance, what, scale=np.abs(np.asarray(expected, float)))


def same_signs(actual: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """`actual` with each column turned to the side of the same column of `expected`."""
    signs = np.sign(np.sum(actual * expected, axis=0))
    return actual * np.where(signs == 0, 1, signs)
