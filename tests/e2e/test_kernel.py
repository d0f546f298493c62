"""`stepwise kernel`: the matrix against NumPy, what it leaves when it is killed, and solving from its file."""
from __future__ import annotations

import os
import signal
import subprocess
import time
import unittest
from pathlib import Path

import h5py
import numpy as np

import reference
from refusal import RefusalTest
from support import DONE, INPUT, IO, MPIEXEC, PROGRAM, ProgramTest, Run, launch, make_pairs, options_of, read_result

PAIRS, FEATURES, TESTS, TILE = 23, 10, 9, 8
# Deep enough to be killed half-way.
SLOW = {"data.pairs": 200, "data.test": 20, "kernel.depth": 10000, "kernel.tile": 32}


class KernelTest(ProgramTest):
    def setUp(self) -> None:
        super().setUp()
        self.output = self.folder / "kernel.h5"
        self.tiles = self.folder / "kernel.h5.tiles"

    def kernel(self, options: dict[str, object], ranks: int = 1, code: int = DONE) -> Run:
        run = launch(["kernel", *options_of(options), "--output", self.output], ranks)
        self.assertEqual(run.code, code, str(run))
        return run

    def kill(self, options: dict[str, object], ranks: int = 1, after: int = 6) -> None:
        """Starts a run and kills every rank once it has `after` tiles."""
        command = [PROGRAM, "kernel", *options_of(options), "--output", str(self.output)]
        if ranks > 1:
            command = [MPIEXEC, "-n", str(ranks), *command]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   start_new_session=True)
        deadline = time.monotonic() + 60
        while len(list(self.tiles.glob("tile-*.npy"))) < after:
            self.assertIsNone(process.poll(), "it ended by itself")
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.005)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        for pid in map(int, children or [process.pid]):
            os.kill(pid, signal.SIGKILL)
        process.wait(30)
        self.assertFalse(self.output.exists())

    def tile_times(self) -> dict[str, int]:
        return {path.name: path.stat().st_mtime_ns for path in self.tiles.glob("t*.npy")}


class Matrix(KernelTest):
    def setUp(self) -> None:
        super().setUp()
        self.first, self.second, self.tests = make_pairs(PAIRS, FEATURES, TESTS)
        self.path = self.write_pairs(self.first, self.second, self.tests)
        self.options = {"data.source": "hdf5", "data.path": self.path, "kernel.type": "ntk", "kernel.depth": 2}
        samples = np.concatenate([self.first, self.second])
        ntk = reference.Network(depth=2).ntk
        self.train, self.test = ntk(samples, samples), ntk(self.tests, samples)

    def test_numbers(self) -> None:
        for tile, ranks in (("auto", 1), ("auto", 4), (2, 2), (TILE, 1), (TILE, 4), (46, 2), (1000, 2)):
            with self.subTest(tile=tile, ranks=ranks):
                self.kernel({**self.options, "kernel.tile": tile, "force": True}, ranks)
                with h5py.File(self.output) as file:
                    train, test = file["kernel/train"][()], file["kernel/test"][()]
                self.assert_close(train, self.train, 1e-13, "train")
                self.assert_close(test, self.test, 1e-13, "test")
                np.testing.assert_array_equal(train, train.T)
                self.assertFalse(self.tiles.exists())

    def test_single_precision(self) -> None:
        self.kernel({**self.options, "precision": "single", "kernel.tile": TILE}, 2)
        with h5py.File(self.output) as file:
            self.assertEqual(file["kernel/train"].dtype, np.dtype("<f4"))
            self.assertEqual(file["kernel/test"].dtype, np.dtype("<f4"))
            self.assert_close(file["kernel/train"][()], self.train, 1e-7, "train")
        result = self.solve({"kernel.type": "precomputed", "kernel.path": self.output, "modes": 4}, 2)
        direct = self.solve({**self.options, "modes": 4})
        self.assert_relative(result.gamma[:4], direct.gamma[:4], 1e-5, "gamma")

    def test_solve_goes_on_from_the_file(self) -> None:
        for options, ranks in (({**self.options, "data.standardize": True}, 2),
                               ({"data.pairs": 20, "data.test": 5, "seed": 3}, 1),
                               ({"data.pairs": 20, "data.test": 5, "kernel.type": "rbf", "kernel.random-features": 64}, 2)):
            with self.subTest(options=options, ranks=ranks):
                self.kernel({**options, "force": True}, ranks)
                direct = self.solve({**options, "modes": 4, "solver.method": "spectral"}, ranks)
                for method in ("spectral", "krylov"):
                    stored = self.solve({"kernel.type": "precomputed", "kernel.path": self.output, "modes": 4,
                                         "solver.method": method}, ranks)
                    self.assert_relative(stored.gamma[:4], direct.gamma[:4], 1e-9, "gamma")
                    self.assert_close(stored.kernel_test, direct.kernel_test, 1e-7, "test")

    def test_format(self) -> None:
        self.kernel(self.options, 2)
        with h5py.File(self.output) as file:
            self.assertEqual(file.attrs["schema_name"], "stepwise-kernel")
            for name in ("schema_version", "program_version", "git_commit", "command_line", "configuration",
                         "kernel_convention", "created", "library_hdf5"):
                self.assertTrue(file.attrs[name])
            for name, scales in (("train", ("sample", "other_sample")), ("test", ("test_sample", "other_sample"))):
                dataset = file["kernel"][name]
                self.assertIn("units", dataset.attrs)
                self.assertIn("description", dataset.attrs)
                for dimension, scale in zip(dataset.dims, scales):
                    self.assertEqual(dimension[0].name.rpartition("/")[2], scale)  # by whichever of its names
            (self.folder / "again.ini").write_text(file.attrs["configuration"])
        again = launch(["kernel", "--config", self.folder / "again.ini", "--output", self.folder / "again.h5"])
        self.assertEqual(again.code, DONE, str(again))

    def test_tiles_of_a_killed_run_are_a_kernel_too(self) -> None:
        """Once all are there; until then a missing one is named."""
        self.kill(SLOW)
        run = launch(["solve", "--kernel.type", "precomputed", "--kernel.path", self.tiles, "--modes", 2, "--output",
                      self.folder / "x.h5"])
        self.assertEqual(run.code, INPUT, str(run))
        self.assertRegex(run.stderr, r"(tile|test)-\d+-\d+\.npy: is missing")


class Resume(KernelTest):
    def test_goes_on(self) -> None:
        for ranks, other in ((1, 2), (2, 1)):
            with self.subTest(ranks=ranks):
                self.kill(SLOW, ranks)
                before = self.tile_times()
                damaged = sorted(before)[0]
                (self.tiles / damaged).write_bytes(b"cut off")
                (self.tiles / ".tile-1-1.npy.partial.7").touch()
                after = self.watch_tiles({**SLOW}, other)
                for name, when in before.items():
                    if name != damaged:
                        self.assertEqual(after[name], when, f"{name} was made anew")
                self.assertNotEqual(after[damaged], before[damaged])
                self.assertFalse(self.tiles.exists())
                with h5py.File(self.output) as file:
                    train, test = file["kernel/train"][()], file["kernel/test"][()]
                self.kernel({**SLOW, "force": True}, other)
                with h5py.File(self.output) as file:
                    np.testing.assert_array_equal(train, file["kernel/train"][()])
                    np.testing.assert_array_equal(test, file["kernel/test"][()])
                self.output.unlink()

    def watch_tiles(self, options: dict[str, object], ranks: int) -> dict[str, int]:
        """Goes on to the end: a directory in the place of the last tile stops it before the tiles are removed."""
        obstacle = self.tiles / "test-0-7.npy"
        obstacle.mkdir()
        run = self.kernel(options, ranks, code=IO)
        self.assertIn("test-0-7.npy", run.stderr)
        times = self.tile_times()
        obstacle.rmdir()
        run = self.kernel(options, ranks)
        self.assertRegex(run.stderr, r"\d+ of \d+ tiles are there")
        return times

    def test_nothing_left_to_do(self) -> None:
        options = {"data.pairs": 10, "kernel.type": "rbf", "restart": self.folder / "new" / "ck"}
        self.kernel(options, 2)
        self.assertFalse((self.folder / "new").exists())
        before = self.output.read_bytes()
        self.assertIn("nothing to do", self.kernel(options, 2).stderr)
        self.assertEqual(self.output.read_bytes(), before)
        self.assertFalse((self.folder / "new").exists())
        self.assertIn("exists already", self.kernel({**options, "seed": 1}, code=INPUT).stderr)

    def test_other_settings(self) -> None:
        self.kill(SLOW)
        for change, pattern in (({"kernel.depth": 9999}, r"kernel\.depth is '10000' there and '9999' now"),
                                ({"seed": 2}, "seed"), ({"precision": "single"}, "precision"),
                                ({"kernel.tile": 16}, r"kernel\.tile"), ({"data.pairs": 201}, r"data\.pairs")):
            run = self.kernel({**SLOW, **change}, 2, code=INPUT)
            self.assertRegex(run.stderr, pattern)
            self.assertIn("settings.ini", run.stderr)
        self.kernel(SLOW)

    def test_changed_data(self) -> None:
        first, second, _ = make_pairs(200, 4)
        path = self.write_pairs(first, second)
        options = {"data.source": "hdf5", "data.path": path, "kernel.depth": 10000, "kernel.tile": 32}
        self.kill(options)
        os.utime(path, (1, 1))
        self.assertIn("data file", self.kernel(options, code=INPUT).stderr)


class Refused(RefusalTest):
    def test_options(self) -> None:
        self.refuse(["kernel"], "output", output=None)
        self.refuse(["kernel", "--kernel.type", "precomputed"], "precomputed")
        self.refuse(["kernel", "--kernel.tile", 7], r"kernel\.tile", "even")
        self.refuse(["kernel", "--modes", 7], "unknown option --modes")
        self.refuse(["kernel", "--data.source", "hdf5", "--data.path", self.folder / "absent.h5"], r"absent\.h5")
        self.refuse(["kernl"], "did you mean stepwise kernel")

    def test_output(self) -> None:
        path = self.out / "there.h5"
        path.write_text("mine")
        self.refuse(["kernel", "--data.pairs", 5], "exists already", "--force", output=path)
        self.refuse(["kernel"], "does not exist", output=self.folder / "no" / "k.h5", code=IO)

    def test_directory_of_somebody_else(self) -> None:
        (self.out / "result.h5.tiles").mkdir()
        (self.out / "result.h5.tiles" / "thesis.tex").touch()
        self.refuse(["kernel", "--data.pairs", 5], "thesis.tex", "no settings.ini of an earlier run")
        (self.out / "file.h5.tiles").touch()
        self.refuse(["kernel", "--data.pairs", 5], r"file\.h5\.tiles", output=self.out / "file.h5", code=IO)

    def test_tile_that_cannot_be_written(self) -> None:
        """One rank fails; all end, and what was made stays."""
        options = options_of(SLOW)
        for ranks in (1, 2, 4):
            with self.subTest(ranks=ranks):
                output = self.out / f"on{ranks}.h5"
                tiles = self.out / f"on{ranks}.h5.tiles"
                self.forbid(tiles / "tile-2-3.npy", options, output)
                run = launch(["kernel", *options, "--output", output], ranks)
                self.assertEqual(run.code, IO, str(run))
                errors = [line for line in run.messages if "error" in line]
                self.assertEqual(len(errors), 1, str(run))
                self.assertRegex(errors[0], r"tile-2-3\.npy: cannot be put in its place: Is a directory")
                self.assertFalse(output.exists())
                self.assertTrue((tiles / "tile-0-0.npy").exists())
                self.assertFalse(list(tiles.glob(".*partial*")))

    def forbid(self, tile: Path, options: list[str], output: Path) -> None:
        """A directory where a tile belongs, in the directory of a run that was killed at its beginning."""
        process = subprocess.Popen([PROGRAM, "kernel", *options, "--output", str(output)], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        while not (tile.parent / "settings.ini").exists() and process.poll() is None:
            time.sleep(0.005)
        process.kill()
        process.wait(30)
        tile.mkdir()


if __name__ == "__main__":
    unittest.main()
