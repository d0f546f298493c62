"""Series files as their readers see them: while they grow, after the writer is killed, after its end."""
from __future__ import annotations

import os
import random
import subprocess
import sys
import unittest
from pathlib import Path

import h5py
import numpy as np
from support import INPUT, MPIEXEC, ProgramTest, launch

WRITER = os.environ.get("STEPWISE_SERIES_WRITER", "stepwise_series_writer")  # tests/io/series_writer.cpp


class Writer:
    """The test program, which does one thing a line and says when it is done."""

    def __init__(self, path: Path, *counts: int, ranks: int = 1, **environment: str) -> None:
        command = [MPIEXEC, "-n", str(ranks)] if ranks > 1 else []
        self.process = subprocess.Popen([*command, WRITER, str(path), *map(str, counts)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, env=dict(os.environ, **environment))
        self.answer = self.process.stdout.readline().strip()

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def tell(self, command: str, times: int = 1) -> str:
        for _ in range(times):
            self.process.stdin.write(command + "\n")
            self.process.stdin.flush()
            self.answer = self.process.stdout.readline().strip()
        return self.answer

    def end(self, command: str) -> str:
        self.tell(command)
        self.process.communicate(timeout=60)
        return self.answer

    def kill_amid(self, commands: list[str], answers: int) -> tuple[int, int]:
        """Kills it while it works, and returns what it had counted at its last answer."""
        os.set_blocking(self.process.stdin.fileno(), False)
        try:
            self.process.stdin.write("".join(command + "\n" for command in commands))
            self.process.stdin.flush()
        except BlockingIOError:
            pass  # the pipe is full: more than enough
        read = [self.process.stdout.readline() for _ in range(answers)]
        self.process.kill()
        read += self.process.stdout.readlines()
        self.process.wait()
        records, snapshots = [line for line in read if line.endswith("\n")][-1].split()[1:]
        return int(records), int(snapshots)


def read_along(path: Path) -> h5py.File:
    return h5py.File(path, "r", libver="latest", swmr=True)


def expected_snapshot(number: int) -> np.ndarray:
    view, pair, mode = np.meshgrid(range(2), range(600), range(3), indexing="ij")
    return 10_000 * number + 10 * pair + 3 * view + mode / 10


class SeriesTest(ProgramTest):
    def setUp(self) -> None:
        super().setUp()
        self.path, self.partial = self.folder / "out.h5", self.folder / "out.h5.partial"

    def check(self, file: h5py.File, records: int, snapshots: int) -> None:
        steps = np.arange(records)
        np.testing.assert_array_equal(file["time"][:records], steps / 10)
        np.testing.assert_array_equal(file["step"][:records], steps)
        np.testing.assert_array_equal(file["measured/lambda"][:records], steps[:, None] + [0, 0.25, 0.5])
        self.assertEqual(file["measured/embeddings"].shape[1:], (2, 600, 3))
        for number in range(snapshots):
            np.testing.assert_array_equal(file["measured/embeddings"][number], expected_snapshot(number))

    def test_readers_see_every_record_as_soon_as_it_is_written(self) -> None:
        for ranks, locking in ((1, "TRUE"), (2, "FALSE")):
            with self.subTest(ranks=ranks, locking=locking), \
                    Writer(self.path, ranks=ranks, HDF5_USE_FILE_LOCKING=locking) as writer:
                self.assertEqual(writer.answer, "ok")
                self.assertEqual(os.listdir(self.folder), ["out.h5.partial"])
                with self.assertRaises(OSError):  # a reader that does not know that the file grows
                    h5py.File(self.partial, "r")
                run = launch(["info", self.partial])
                self.assertEqual(run.code, INPUT)
                self.assertIn("still being written", run.stderr)
                with read_along(self.partial) as file:
                    self.assertEqual(file.attrs["status"], "running")
                    growing = [file[name] for name in ("time", "step", "measured/lambda", "snapshot",
                                                       "measured/embeddings")]
                    for records, snapshots in ((1, 0), (7, 2), (300, 3)):
                        writer.tell("record", records - len(growing[0]))
                        writer.tell("snapshot", snapshots - len(growing[3]))
                        for dataset in growing:
                            dataset.refresh()
                        self.assertEqual([len(dataset) for dataset in growing],
                                         [records] * 3 + [snapshots] * 2)
                        self.check(file, records, snapshots)
                    self.assertEqual(file["measured/lambda"].dims[0].keys(), ["time"])
                if locking == "FALSE":
                    with read_along(self.partial):  # does not keep the writer from ending
                        writer.end("finish complete")
                else:
                    writer.end("finish complete")
                self.assertEqual(writer.answer, "ok 300 3")
            self.assertEqual(os.listdir(self.folder), ["out.h5"])
            with h5py.File(self.path) as file:
                self.check(file, 300, 3)
                self.assertEqual((file.attrs["status"], file.attrs["steps"], file["final/loss"][()]),
                                 ("complete", 300, 0.5))
            self.path.unlink()

    def test_a_killed_writer_leaves_every_record_and_the_next_one_goes_on(self) -> None:
        rng = random.Random(1)
        for answers in (1, 20, 150):
            with self.subTest(answers=answers):
                with Writer(self.path) as writer:
                    commands = rng.choices(["record", "snapshot"], [6, 1], k=2000)
                    records, snapshots = writer.kill_amid(commands, answers)
                with read_along(self.partial) as file:
                    there, shot = len(file["time"]), len(file["snapshot"])
                    self.assertIn(there, (records, records + 1))  # one may have been written and not reported
                    self.assertIn(shot, (snapshots, snapshots + 1))
                    self.check(file, there, shot)
                    self.assertEqual(file.attrs["status"], "running")
                kept = (records // 2, snapshots // 2)
                with Writer(self.path, *kept) as writer:
                    self.assertEqual(writer.answer, "ok")
                    with read_along(self.partial) as file:
                        self.assertEqual((len(file["time"]), len(file["measured/embeddings"])), kept)
                        self.check(file, *kept)
                    writer.tell("record", 10)
                    writer.tell("snapshot", 2)
                    writer.end("finish complete")
                with h5py.File(self.path) as file:
                    self.assertEqual((len(file["time"]), len(file["snapshot"])), (kept[0] + 10, kept[1] + 2))
                    self.check(file, kept[0] + 10, kept[1] + 2)
                self.path.unlink()

    def test_a_writer_killed_at_its_end_leaves_what_the_next_one_goes_on_with(self) -> None:
        """Then the file bears the mark of a writer that nobody may read along with."""
        with Writer(self.path) as writer:
            writer.tell("record", 5)
            writer.end("finish stopped")
        die = "import h5py, os, signal, sys; f = h5py.File(sys.argv[1], 'r+', libver='latest'); os.kill(os.getpid(), 9)"
        subprocess.run([sys.executable, "-c", die, self.partial], check=False)
        for reader in (read_along, h5py.File):
            with self.assertRaises(OSError):
                reader(self.partial)
        with Writer(self.path, 5, 0) as writer:
            self.assertEqual(writer.answer, "ok")
            writer.end("finish complete")
        with h5py.File(self.path) as file:
            self.check(file, 5, 0)

    def test_a_series_that_was_stopped_is_a_plain_file(self) -> None:
        with Writer(self.path, ranks=2) as writer:
            writer.tell("record", 3)
            self.assertEqual(writer.end("finish diverged"), "ok 3 0")
        with h5py.File(self.partial, "r") as file:
            self.check(file, 3, 0)
            self.assertEqual(file.attrs["status"], "diverged")
        with Writer(self.path) as writer:
            self.assertRegex(writer.answer, r"error 2 .*out.h5.partial exists: .*--force")
        with Writer(self.path, 4, 0) as writer:
            self.assertRegex(writer.answer, r"error 2 .*/time has 3 records, fewer than the checkpoint's 4")

    def test_a_full_disk_is_an_error_and_leaves_a_plain_file(self) -> None:
        with Writer(self.path, ranks=2) as writer:
            writer.tell("limit 4000000")
            while writer.tell("snapshot").startswith("ok"):
                pass
            self.assertRegex(writer.answer, "error 3 .*no room for")
            self.assertEqual(writer.process.wait(timeout=60), 0)
        with h5py.File(self.partial, "r") as file:
            self.assertGreater(len(file["snapshot"]), 5)
            self.check(file, 0, len(file["snapshot"]))


if __name__ == "__main__":
    unittest.main()
