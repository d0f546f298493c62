"""Simulations that are read while they run, stopped, killed, restarted, diverge or are refused."""
from __future__ import annotations

import signal
import time
import unittest
from pathlib import Path

import h5py
import numpy as np

from refusal import RefusalTest
from support import DONE, INPUT, NUMERICAL, launch, make_pairs
from test_checkpoint import STOPPED, datasets, kill_ranks, start

# Long enough to be stopped on its way. Ranks in step with each other are slow on a busy machine: few steps on two.
SLOW = ["simulate", "--data.pairs", "60", "--views.crop", "6", "--modes", "3", "--data.test", "2", "--seed", "3",
        "--record.points", "100"]
METHODS = {"flow": (2, ["--kernel.type", "rbf", "--kernel.storage", "none", "--dynamics.alpha", "0.01",
                        "--training.tolerance", "1e-7"]),
           "descent": (1, ["--kernel.type", "rbf", "--training.method", "descent", "--training.rate", "0.002"]),
           "losses": (1, ["--kernel.type", "rbf", "--training.loss", "plain,quartic", "--training.tolerance", "1e-12"]),
           "linear": (1, ["--model", "linear", "--training.method", "descent", "--training.rate", "1e-5"])}


class Running(RefusalTest):
    def setUp(self) -> None:
        super().setUp()
        self.name_files("out")

    def name_files(self, name: str) -> None:
        self.output = self.folder / f"{name}.h5"
        self.partial = self.folder / f"{name}.h5.partial"
        self.directory = self.folder / f"{name}-ck"

    def command(self, method: str, *more: str) -> list[str]:
        return [*SLOW, *METHODS[method][1], "--output", str(self.output), *more]

    def restarted(self, method: str) -> list[str]:
        return self.command(method, "--restart", str(self.directory), "--checkpoint-interval", "0")

    def wait_for(self, run: object, ready: object, what: str) -> bool:
        """False where the run is over before."""
        deadline = time.monotonic() + 80
        while not ready() and run.poll() is None:
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.01)
        return run.poll() is None

    def undisturbed(self, method: str) -> dict[str, np.ndarray]:
        output = self.folder / f"undisturbed-{method}.h5"
        if output.exists():
            return datasets(output)
        run = launch([*SLOW, *METHODS[method][1], "--output", str(output), "--checkpoint", self.folder / "undisturbed",
                      "--checkpoint-interval", "0"], METHODS[method][0])
        self.assertEqual(run.code, DONE, str(run))
        return datasets(output)

    def assert_resumed(self, method: str, expected: dict[str, np.ndarray]) -> None:
        run = launch(self.restarted(method), METHODS[method][0])
        self.assertEqual(run.code, DONE, str(run))
        found = datasets(self.output)
        self.assertEqual(set(found), set(expected))
        for name, numbers in expected.items():
            np.testing.assert_array_equal(found[name], numbers, f"{method}: {name}")
        self.assertFalse(self.directory.exists())
        self.assertFalse(self.partial.exists())

    def test_stopped_runs_go_on_bit_by_bit(self) -> None:
        for method in METHODS:
            with self.subTest(method):
                self.name_files(method)
                run = start(self.restarted(method), METHODS[method][0])
                if self.wait_for(run, (self.directory / "training.h5").exists, "a checkpoint"):
                    run.send_signal(signal.SIGUSR1)
                stdout, stderr = run.communicate(timeout=80)
                self.assertIn(run.returncode, (DONE, STOPPED), stdout + stderr)
                if run.returncode == DONE:  # was faster
                    continue
                self.assertIn("stopped by signal SIGUSR1", stderr)
                self.assertIn(f"--restart {self.directory}", stderr)
                self.assertFalse(self.output.exists())
                with h5py.File(self.partial, "r") as file:
                    self.assertEqual(file.attrs["status"], "stopped")
                self.assert_resumed(method, self.undisturbed(method))

    def test_killed_runs_go_on_bit_by_bit(self) -> None:
        for method in ("flow", "linear"):
            with self.subTest(method):
                self.name_files(method)
                run = start(self.restarted(method), METHODS[method][0])
                self.wait_for(run, (self.directory / "training.h5").exists, "a checkpoint")
                time.sleep(0.2)
                kill_ranks(run)
                if self.output.exists():  # was faster
                    continue
                self.assert_resumed(method, self.undisturbed(method))
        self.name_files("out")
        run = start(self.restarted("flow"), 2)  # nothing but the beginning of a series
        self.wait_for(run, self.partial.exists, "the series")
        kill_ranks(run)
        for left in self.directory.glob("training.h5"):
            left.unlink()
        self.assert_resumed("flow", self.undisturbed("flow"))

    def test_a_stop_that_nobody_prepared(self) -> None:
        run = start(self.command("flow"), 2)
        self.wait_for(run, self.partial.exists, "the series")
        run.send_signal(signal.SIGUSR1)
        stdout, stderr = run.communicate(timeout=80)
        self.assertEqual(run.returncode, STOPPED, stdout + stderr)
        directory = self.folder / "out.h5.checkpoint"
        self.assertIn(f"--restart {directory}", stderr)
        again = launch(self.command("flow", "--restart", str(directory)), 3)
        self.assertEqual(again.code, DONE, str(again))
        expected = self.undisturbed("flow")
        found = datasets(self.output)
        self.assert_close(found["measured/lambda"], expected["measured/lambda"], 1e-6, "on three ranks")
        done = launch(self.command("flow", "--restart", str(directory)))
        self.assertEqual(done.code, DONE, str(done))
        self.assertIn("nothing to do", done.stderr)

    def test_other_settings_do_not_go_on(self) -> None:
        run = start(self.restarted("flow"), 2)
        self.wait_for(run, (self.directory / "training.h5").exists, "a checkpoint")
        run.send_signal(signal.SIGUSR1)
        run.communicate(timeout=80)
        other = launch([*self.restarted("flow"), "--training.tolerance", "1e-9"], 2)
        self.assertEqual(other.code, INPUT, str(other))
        self.assertIn("training.tolerance", other.stderr)

    def test_the_series_is_read_while_it_grows(self) -> None:
        run = start(self.command("flow"), 2)
        seen: list[int] = []
        while run.poll() is None and len(seen) < 3:
            try:
                with h5py.File(self.partial, "r", libver="latest", swmr=True) as file:
                    records = len(file["time"])
                    self.assertEqual(file.attrs["status"], "running")
                    self.assertGreaterEqual(len(file["measured/lambda"]), records)
                    self.assertTrue(np.all(np.isfinite(file["measured/lambda"][:records])))
            except OSError:
                records = 0
            if records and records not in seen:
                seen.append(records)
            time.sleep(0.02)
        stdout, stderr = run.communicate(timeout=80)
        self.assertEqual(run.returncode, DONE, stdout + stderr)
        self.assertEqual(len(seen), 3, stdout + stderr)


class Refused(RefusalTest):
    def setUp(self) -> None:
        super().setUp()
        first, second, tests = make_pairs(12, 6, 4)
        self.path = self.write_pairs(first, second, tests)
        self.pairs = ["simulate", "--data.source", "hdf5", "--data.path", self.path, "--modes", 3]

    def test_divergence(self) -> None:
        output = self.folder / "diverged.h5"
        words = [*self.pairs, "--model", "linear", "--training.method", "descent", "--training.rate", 1,
                 "--training.steps", 500, "--record.spacing", "linear", "--output", output]
        for ranks in (1, 2):
            run = launch([*words, "--force"], ranks)
            self.assertEqual(run.code, NUMERICAL, str(run))
            message = "\n".join(run.messages)
            self.assertRegex(message, r"diverges: at step \d+")
            self.assertIn("--training.rate is 1", message)
            self.assertIn("largest stable", message)
            self.assertIn(f"{output}.partial", message)
            self.assertFalse(output.exists())
            with h5py.File(f"{output}.partial", "r") as file:
                self.assertEqual(file.attrs["status"], "diverged")
                self.assertEqual(len(file["time"]), len(file["measured/loss"]))
                self.assertGreater(len(file["time"]), 2)
                self.assertGreaterEqual(file.attrs["diverged_step"], file["step"][-1])
        again = launch(words)
        self.assertEqual(again.code, INPUT, str(again))
        self.assertIn("partial exists", "\n".join(again.messages))

    def test_the_largest_stable_rate(self) -> None:
        """Just below it training settles; just above it is warned of; far above it diverges."""
        words = [*self.pairs, "--model", "linear", "--training.method", "descent", "--training.steps", 20000]
        run = launch([*words, "--training.rate", 100, "--output", self.folder / "a.h5"])
        stable = float(run.stderr.split("for the plain loss = ")[1].split()[0].rstrip("."))
        for factor, code in ((0.98, DONE), (1.3, DONE), (2.5, NUMERICAL)):
            output = self.folder / f"{factor}.h5"
            run = launch([*words, "--training.rate", factor * stable, "--output", output])
            self.assertEqual(run.code, code, str(run))
            self.assertEqual("above the largest stable rate" in run.stderr, factor > 1, str(run))
            if factor < 1:
                with h5py.File(output) as file:
                    self.assertLess(file["measured/loss"][-1], 1e-9)

    def test_combinations(self) -> None:
        rows = [
            (["--training.rate", 1], r"training\.rate", "flow", "descent"),
            (["--training.steps", 10], r"training\.steps", "flow"),
            (["--training.method", "descent", "--training.steps", 10, "--training.time", 1], r"training\.time"),
            (["--training.loss", "sharp"], "sharp", "sharpened"),
            (["--training.loss", "plain,plain"], "twice"),
            (["--training.loss", ""], r"training\.loss"),
            (["--model", "linear", "--kernel.type", "rbf"], "features", "random-features"),
            (["--model", "linear", "--kernel.centre"], r"kernel\.centre"),
            (["--model", "supervised"], "labels"),
            (["--model", "supervised", "--training.loss", "quartic"], "squared loss"),
            (["--model", "supervised", "--kernel.storage", "none"], r"kernel\.storage"),
            (["--system.gammas", "1,2"], r"system\.gammas"),
            (["--modes", 13], "12 pairs"),
            (["--training.start", "nowhere"], "FILE:/DATASET"),
            (["--training.start", "nowhere.h5:/w"], r"nowhere\.h5"),
            (["--record.points", 1], r"record\.points"),
        ]
        for words, *patterns in rows:
            with self.subTest(words):
                command = [*self.pairs, *words]
                if words[0] == "--modes":
                    command = [*self.pairs[:-2], *words]
                self.refuse(command, *patterns, ranks=(1, 2) if "--training.start" in words else (1,))
        system = ["simulate", "--preset", "modes"]
        self.refuse([*system, "--modes", 6], r"system\.gammas names 5")
        self.refuse([*system, "--system.gammas", "1,2"], "number 2")
        self.refuse([*system, "--system.gammas", "x"], "number 1")
        self.refuse([*system, "--data.pairs", 10], r"data\.pairs")
        self.refuse(["simulate", "--preset", "lineal"], "lineal", "linear")

    def test_starts_of_another_shape(self) -> None:
        path = self.folder / "start.h5"
        with h5py.File(path, "w") as file:
            file["w"] = np.zeros((3, 5))
            file["f"] = np.zeros((24, 4))
            file["nan"] = np.full((3, 6), np.nan)
            file["zero"] = np.diag([1.0, 1, 0]) @ np.ones((3, 6))
            file["scalar"] = 1.0
        linear = [*self.pairs, "--model", "linear", "--training.start"]
        self.refuse([*linear, f"{path}:/w"], "3 x 5", "3 x 6", ranks=(1, 2))
        self.refuse([*linear, f"{path}:/scalar"], "single number", "3 x 6")
        self.refuse([*linear, f"{path}:/nan"], "not finite", ranks=(1, 2))
        self.refuse([*linear, f"{path}:/none"], "none")
        self.refuse([*linear, f"{path}:/zero"], "starts at zero", r"training\.time")
        self.refuse([*self.pairs, "--kernel.type", "rbf", "--training.start", f"{path}:/f"], "24 x 4", "24 x 3",
                    ranks=(1, 2))

    def test_output_in_the_way(self) -> None:
        for name in ("there.h5", "partial.h5"):
            (self.folder / (name if name == "there.h5" else f"{name}.partial")).write_text("mine")
            for ranks in (1, 2):
                run = launch([*self.pairs, "--output", self.folder / name], ranks)
                self.assertEqual(run.code, INPUT, str(run))
                self.assertIn("exists", "\n".join(run.messages))
        run = launch([*self.pairs, "--output", self.folder / "there.h5", "--force", "--record.embeddings", 0])
        self.assertEqual(run.code, DONE, str(run))

    def test_memory(self) -> None:
        run = launch(["simulate", "--data.pairs", 3_000_000, "--kernel.storage", "none", "--modes", 200, "--model",
                      "kernel", "--output", self.folder / "large.h5"])
        self.assertEqual(run.code, 5, str(run))
        self.assertIn("memory", "\n".join(run.messages))

    def test_presets(self) -> None:
        def settings(*words: object) -> str:
            run = launch(["simulate", *words, "--print-config"])
            self.assertEqual(run.code, DONE, str(run))
            return run.stdout

        plain = settings("--preset", "linear")
        for line in ("model = linear", "modes = 10", "pairs = 500", "rate = 5e-05", "method = descent", "crop = 20"):
            self.assertIn(f"\n{line}\n", plain)
        # What is given wins, whatever the order, and wherever it is given.
        for words in (("--preset", "linear", "--modes", 3), ("--modes", 3, "--preset", "linear")):
            self.assertIn("\nmodes = 3\n", settings(*words))
        ini = self.folder / "run.ini"
        ini.write_text("modes = 10\npreset = linear\n[training]\nmethod = flow\nrate = auto\n")
        self.assertIn("\nmethod = flow\n", settings("--config", ini))
        ini.write_text("[training]\nmethod = flow\n[data]\npairs = 7\n")
        both = settings("--config", ini, "--preset", "linear")
        self.assertIn("\nmethod = flow\n", both)
        self.assertIn("\npairs = 7\n", both)
        self.assertIn("\nsource = cifar10\n", settings("--preset", "linear", "--data.path", "x"))
        self.assertIn("\nsource = hdf5\n", settings("--preset", "linear", "--data.path", "x", "--data.source", "hdf5"))
        ini.write_text(plain)
        self.assertEqual(settings("--config", ini), plain)


if __name__ == "__main__":
    unittest.main()
