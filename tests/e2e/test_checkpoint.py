"""Runs that are stopped or killed, and go on: the result is that of a run nobody disturbed, and nothing is left over."""
from __future__ import annotations

import os
import random
import signal
import subprocess
import time
import unittest
from pathlib import Path

import h5py
import numpy as np

from support import DONE, INPUT, MPIEXEC, PROGRAM, ProgramTest, launch, make_pairs

STOPPED = 75
# How often runs are killed; scripts that look for rare failures set more.
KILLS = int(os.environ.get("STEPWISE_KILLS", "4"))

PROBLEM = ["solve", "--data.pairs", "220", "--data.test", "5", "--modes", "5", "--seed", "3"]
METHODS = {
    "krylov": ["--solver.method", "krylov"],
    "single": ["--kernel.storage", "single"],
    "none": ["--kernel.storage", "none", "--solver.warm-start", "20"],
    "cholesky": ["--solver.method", "cholesky"],
    "spectral": ["--solver.method", "spectral", "--kernel.centre"],
}


def start(arguments: list[str], ranks: int) -> subprocess.Popen[str]:
    environment = dict(os.environ, OMPI_MCA_odls_base_sigkill_timeout="0")
    return subprocess.Popen([MPIEXEC, "-n", str(ranks), PROGRAM, *arguments], env=environment, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def kill_ranks(run: subprocess.Popen[str]) -> None:
    """SIGKILL to every rank, and to mpirun; ranks are in process groups of their own."""
    children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(run.pid)], capture_output=True, text=True, check=False)
    for pid in [*map(int, children.stdout.split()), run.pid]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    run.communicate()


def datasets(path: Path) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}

    def visit(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and not name.startswith("performance/"):
            found[name] = item[()]

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    return found


class Checkpoint(ProgramTest):
    def setUp(self) -> None:
        super().setUp()
        self.directory = self.folder / "ck"
        self.output = self.folder / "out.h5"

    def undisturbed(self, method: str, ranks: int = 2) -> dict[str, np.ndarray]:
        output = self.folder / f"undisturbed-{method}-{ranks}.h5"
        if not output.exists():
            run = launch([*PROBLEM, *METHODS[method], "--output", output, "--checkpoint", self.folder / "undisturbed",
                          "--checkpoint-interval", "0"], ranks)
            self.assertEqual(run.code, DONE, str(run))
        return datasets(output)

    def command(self, method: str) -> list[str]:
        return [*PROBLEM, *METHODS[method], "--output", str(self.output), "--restart", str(self.directory),
                "--checkpoint-interval", "0"]

    def assert_tidy(self) -> None:
        self.assertFalse(self.directory.exists(), list(self.directory.glob("*")) if self.directory.exists() else "")
        self.assertEqual([p.name for p in self.folder.iterdir() if p.name.startswith(".")], [])

    def assert_same(self, expected: dict[str, np.ndarray], bits: bool, what: str) -> None:
        actual = datasets(self.output)
        self.assertEqual(set(actual), set(expected), what)
        for name, numbers in expected.items():
            if bits:
                np.testing.assert_array_equal(actual[name], numbers, f"{what}: {name}")
            elif name == "spectrum/gamma":
                self.assert_close(actual[name], numbers, 1e-12, f"{what}: {name}")
            elif name.startswith("embeddings/"):
                self.assert_close(actual[name], numbers, 1e-9, f"{what}: {name}")

    def stop_when(self, method: str, file: str, ranks: int) -> bool:
        """Sends SIGUSR1 as soon as `file` is in the checkpoint; False where the run was over before."""
        run = start(self.command(method), ranks)
        deadline = time.monotonic() + 60
        while not (self.directory / file).exists() and run.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        if run.poll() is None:
            run.send_signal(signal.SIGUSR1)
        stdout, stderr = run.communicate(timeout=60)
        self.assertIn(run.returncode, (DONE, STOPPED), stdout + stderr)
        if run.returncode == STOPPED:
            self.assertIn("stopped by signal SIGUSR1", stderr)
            self.assertIn(f"--restart {self.directory}", stderr)
            self.assertFalse(self.output.exists())
        return run.returncode == STOPPED

    def test_stopped_runs_go_on(self) -> None:
        # With no time between checkpoints all of them are written, kernel tiles first where K is stored.
        first_files = {"krylov": "krylov.h5", "single": "krylov.h5", "none": "krylov.h5", "cholesky": "kernel",
                       "spectral": "spectral.h5"}
        for method, file in first_files.items():
            for ranks in (2, 3):
                with self.subTest(method=method, ranks=ranks):
                    self.stop_when(method, file, 2)
                    run = launch(self.command(method), ranks)
                    self.assertEqual(run.code, DONE, str(run))
                    self.assert_same(self.undisturbed(method), ranks == 2 and method != "cholesky", method)
                    self.assert_tidy()
                    self.output.unlink()

    def test_killed_runs_go_on(self) -> None:
        generator = random.Random(7)
        expected = {method: self.undisturbed(method) for method in ("krylov", "cholesky")}
        begin = time.monotonic()
        launch(self.command("krylov"), 2)
        usual = time.monotonic() - begin
        self.output.unlink()
        for kill in range(KILLS):
            method = generator.choice(["krylov", "cholesky"])
            with self.subTest(kill=kill, method=method):
                ranks = 2
                for attempt in range(20):
                    run = start(self.command(method), ranks)
                    if attempt == 0 or generator.random() < 0.5:
                        time.sleep(generator.uniform(0, usual))
                        kill_ranks(run)
                    else:
                        stdout, stderr = run.communicate(timeout=90)
                        self.assertEqual(run.returncode, DONE, stdout + stderr)
                        break
                    ranks = generator.choice([1, 2, 3, 4])
                self.assert_same(expected[method], False, f"kill {kill}")
                self.assert_tidy()
                self.output.unlink()

    def test_nothing_to_resume_and_nothing_left_to_do(self) -> None:
        run = launch(self.command("krylov"), 2)
        self.assertEqual(run.code, DONE, str(run))
        before = self.output.read_bytes()
        again = launch(self.command("krylov"), 3)
        self.assertEqual(again.code, DONE, str(again))
        self.assertIn("nothing to do", again.stderr)
        self.assertEqual(self.output.read_bytes(), before)
        other = launch([*self.command("krylov"), "--kernel.depth", "2"], 2)
        self.assertEqual(other.code, INPUT, str(other))
        self.assertIn("exists already", other.stderr)

    def test_other_problems_are_refused(self) -> None:
        self.assertTrue(self.stop_when("none", "krylov.h5", 2))
        for words, setting in ((["--seed", "4"], "seed is '3' there and '4' now"), (["--kernel.depth", "2"], "kernel.depth")):
            command = self.command("none")
            if words[0] in command:
                command[command.index(words[0]) + 1] = words[1]
            else:
                command += words
            run = launch(command, 2)
            self.assertEqual(run.code, INPUT, str(run))
            self.assertIn(setting, run.stderr)
            self.assertTrue((self.directory / "krylov.h5").exists())
        careless = [word if word != "--restart" else "--checkpoint" for word in self.command("none")]
        run = launch(careless, 2)
        self.assertEqual(run.code, INPUT, str(run))
        self.assertIn(f"--restart {self.directory}", run.stderr)

    def test_a_dry_run_looks_at_the_directory(self) -> None:
        self.assertTrue(self.stop_when("none", "krylov.h5", 2))
        same = [*self.command("none"), "--dry-run"]
        run = launch(same)
        self.assertEqual(run.code, DONE, str(run))
        self.assertIn("nothing was computed", run.stdout)
        for words, pattern in (([*same, "--kernel.depth", "2"], "kernel.depth"),
                               ([word if word != "--restart" else "--checkpoint" for word in same],
                                f"--restart {self.directory}")):
            run = launch(words)
            self.assertEqual(run.code, INPUT, str(run))
            self.assertIn(pattern, run.stderr)
        self.assertEqual(launch(self.command("none"), 2).code, DONE)
        run = launch(same)
        self.assertEqual(run.code, DONE, str(run))
        self.assertIn("nothing to do", run.stdout)
        self.assert_tidy()

    def test_data_may_move_and_made_directories_go(self) -> None:
        pairs = self.write_pairs(*make_pairs(400, 6)[:2])
        deep = self.folder / "a" / "b" / "ck"
        command = ["solve", "--data.source", "hdf5", "--kernel.type", "rbf", "--kernel.storage", "none", "--modes", "5",
                   "--solver.tolerance", "1e-13", "--output", self.output, "--checkpoint-interval", "0"]
        run = start([*map(str, command), "--data.path", str(pairs), "--restart", str(deep)], 2)
        while not (deep / "krylov.h5").exists() and run.poll() is None:
            time.sleep(0.002)
        run.send_signal(signal.SIGUSR1)
        _, stderr = run.communicate(timeout=60)
        if run.returncode == STOPPED:
            moved = pairs.rename(self.folder / "moved.h5")
            run = launch([*command, "--data.path", moved, "--restart", deep], 2)
            self.assertEqual(run.code, DONE, str(run))
            self.assertIn("going on from", run.stderr)
            self.output.unlink()
            pairs = moved
        self.assertFalse(deep.exists())
        other = self.folder / "c" / "d"
        run = launch([*command, "--data.path", pairs, "--checkpoint", other], 2)
        self.assertEqual(run.code, DONE, str(run))
        self.assertFalse((self.folder / "c").exists(), "made for the checkpoint")

    def test_damage_is_seen(self) -> None:
        self.assertTrue(self.stop_when("none", "krylov.h5", 2))
        with h5py.File(self.directory / "krylov.h5", "r+") as file:
            file["q"][3, 1] += 1e-9
        run = launch(self.command("none"), 2)
        self.assertEqual(run.code, INPUT, str(run))
        self.assertIn("krylov.h5: /q has the checksum", run.stderr)
        (self.directory / "krylov.h5").write_bytes(b"no HDF5")
        run = launch(self.command("none"), 2)
        self.assertEqual(run.code, INPUT, str(run))
        self.assertIn("krylov.h5", run.stderr)
        self.assertIn("remove it to go on without it", run.stderr)
        settings = self.directory / "settings.ini"
        settings.write_text(settings.read_text()[:100])
        run = launch(self.command("none"), 2)
        self.assertEqual(run.code, INPUT, str(run))
        self.assertIn(f"settings.ini: is damaged: it ends after 100 bytes; remove {self.directory}", run.stderr)

    def test_changed_samples_are_seen(self) -> None:
        first, second, _ = make_pairs(30, 6)
        pairs = self.write_pairs(first, second)
        command = ["solve", "--data.source", "hdf5", "--data.path", pairs, "--kernel.type", "rbf", "--modes", "2",
                   "--output", self.output, "--restart", self.directory]
        self.assertEqual(launch(command).code, DONE)
        self.assertIn("nothing to do", launch(command).stderr)
        self.write_pairs(second, first + 1)
        run = launch(command)
        self.assertEqual(run.code, INPUT, str(run))
        self.assertIn("exists already", run.stderr)
        run = launch([*command, "--force"])
        self.assertEqual(run.code, DONE, str(run))
        self.assertNotIn("nothing to do", run.stderr)
        self.assert_tidy()

    def test_a_damaged_tile_is_made_anew(self) -> None:
        self.stop_when("cholesky", "kernel", 2)
        tile = next(iter(self.directory.glob("kernel/tile-*.npy")), None)
        if tile is None:
            self.skipTest("stopped before the first tile, or after the last")
        damaged = bytearray(tile.read_bytes())
        damaged[-3] ^= 0x40
        tile.write_bytes(damaged)
        run = launch(self.command("cholesky"), 2)
        self.assertEqual(run.code, DONE, str(run))
        self.assert_same(self.undisturbed("cholesky"), False, "damaged tile")

    def test_wall_time(self) -> None:
        run = launch([*self.command("none"), "--max-walltime", "00:00:01"], 2)
        self.assertIn(run.code, (DONE, STOPPED), str(run))
        if run.code == STOPPED:
            self.assertIn("the end of the wall time", run.stderr)
            self.assertFalse(self.output.exists())
            run = launch(self.command("none"), 2)
            self.assertEqual(run.code, DONE, str(run))
        self.assert_same(self.undisturbed("none"), True, "wall time")
        self.assert_tidy()

    def test_stop_without_a_directory_keeps_what_there_is(self) -> None:
        command = [*PROBLEM, *METHODS["none"], "--output", str(self.output), "--solver.tolerance", "1e-13"]
        run = start([*command, "--max-walltime", "00:00:01"], 2)
        _, stderr = run.communicate(timeout=60)
        if run.returncode == DONE:
            self.skipTest("the run was over in a second")
        self.assertEqual(run.returncode, STOPPED, stderr)
        kept = self.folder / "out.h5.checkpoint"
        if kept.exists():
            self.assertIn(f"--restart {kept}", stderr)
            again = launch([*command, "--restart", kept], 2)
            self.assertEqual(again.code, DONE, str(again))
            self.assertFalse(kept.exists())

    def test_two_runs_do_not_share_a_checkpoint(self) -> None:
        first = start(self.command("none"), 2)
        while not (self.directory / "krylov.h5").exists() and first.poll() is None:
            time.sleep(0.002)
        second = launch(self.command("none"), 2)
        _, stderr = first.communicate(timeout=90)
        self.assertEqual(first.returncode, DONE, stderr)
        self.assertIn(second.code, (INPUT, DONE), str(second))
        if second.code == INPUT:
            self.assertIn("another run is using", second.stderr)

    def test_usage(self) -> None:
        run = launch([*self.command("krylov"), "--checkpoint", self.folder / "other"], 2)
        self.assertEqual(run.code, INPUT, str(run))
        self.assertIn("--restart", run.stderr)
        run = launch([*self.command("krylov"), "--max-walltime", "soon"], 2)
        self.assertEqual(run.code, INPUT, str(run))
        self.assertIn("HH:MM:SS", run.stderr)
        run = launch([*PROBLEM, "--output", self.output, "--checkpoint", self.output], 2)
        self.assertEqual(run.code, INPUT, str(run))
        self.assertIn("is also --output", run.stderr)
        self.assertFalse(self.output.exists())
        full = self.folder / "full"
        full.mkdir()
        (full / "thesis.tex").write_text("do not touch")
        run = launch([*PROBLEM, "--output", self.output, "--checkpoint", full], 2)
        self.assertEqual(run.code, INPUT, str(run))
        self.assertIn("thesis.tex", run.stderr)


if __name__ == "__main__":
    unittest.main()
