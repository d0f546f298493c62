"""Every job script under a SLURM of its own: two nodes, both this machine; results read with h5py."""
from __future__ import annotations

import shutil
import tempfile
import time
import unittest
from pathlib import Path

import h5py
import numpy as np

from cluster import Cluster, Unavailable
from support import PROGRAM, launch

JOBSCRIPTS = Path(__file__).resolve().parents[2] / "jobscripts"
SMALL = ["--data.pairs", "100", "--modes", "5"]
NODE = ["--ntasks-per-node=2", "--cpus-per-task=1"]  # the scripts ask for more than a small machine has

cluster: Cluster


def setUpModule() -> None:
    global cluster
    cluster = Cluster(nodes=2, cpus=2)
    try:
        cluster.__enter__()
    except Unavailable as reason:
        raise unittest.SkipTest(str(reason)) from None
    unittest.addModuleCleanup(cluster.stop)


def read_gamma(path: Path) -> np.ndarray:
    with h5py.File(path, "r") as file:
        return file["spectrum/gamma"][()]


def read_attribute(path: Path, name: str) -> object:
    with h5py.File(path, "r") as file:
        return file.attrs[name]


class JobScript(unittest.TestCase):
    """Each test works in a directory that holds a copy of jobscripts/, as the README tells users to."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="stepwise-jobs-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        shutil.copytree(JOBSCRIPTS, self.folder / "jobscripts")
        # Two nodes on one machine: more threads than cores must not spin.
        self.environment = {"STEPWISE": PROGRAM, "OMP_WAIT_POLICY": "passive"}

    def submit(self, script: str, *settings: object, options: list[str] = NODE, launcher: str = "srun") -> str:
        run = cluster.run("sbatch", "--parsable", *options, script, *map(str, settings),
                          cwd=self.folder, environment={**self.environment, "STEPWISE_LAUNCHER": launcher})
        self.assertEqual(run.returncode, 0, run.stderr)
        return run.stdout.strip()

    def wait(self, job: str, until=lambda job: not job["JobState"] in ("PENDING", "RUNNING", "COMPLETING"),
             seconds: float = 90) -> dict[str, str]:
        """What SLURM says of the job as soon as `until` holds, by default when it has ended."""
        deadline = time.monotonic() + seconds
        while not until(state := cluster.job(job)):
            self.assertLess(time.monotonic(), deadline, f"job {job} waits: {state}\n{self.logs()}")
            time.sleep(0.1)
        return state

    def finish(self, job: str) -> dict[str, str]:
        state = self.wait(job)
        self.assertEqual((state["JobState"], state["ExitCode"]), ("COMPLETED", "0:0"), self.logs())
        return state

    def logs(self) -> str:
        return "".join(f"--- {log.name}\n{log.read_text()}" for log in sorted(self.folder.rglob("*.log")))

    def expected_gamma(self, *settings: str) -> np.ndarray:
        path = self.folder / "expected.h5"
        run = launch(["solve", *settings, "--output", path, "--force"])
        self.assertEqual(run.code, 0, str(run))
        return read_gamma(path)

    def assert_gamma(self, path: Path, expected: np.ndarray, tolerance: float = 1e-10) -> None:
        self.assertTrue(path.is_file(), f"{path} is missing\n{self.logs()}")
        gamma = read_gamma(path)
        np.testing.assert_allclose(gamma, expected[:len(gamma)], rtol=0, atol=tolerance * expected[0])


class OneRun(JobScript):
    def test_one_node(self) -> None:
        expected = self.expected_gamma(*SMALL)
        for launcher in ("srun", "mpirun"):
            with self.subTest(launcher):
                job = self.submit("jobscripts/one_node.sbatch", "solve", *SMALL, "--output", f"{launcher}.h5", launcher=launcher)
                self.finish(job)
                self.assert_gamma(self.folder / f"{launcher}.h5", expected)
                self.assertEqual(read_attribute(self.folder / f"{launcher}.h5", "ranks"), 2)

    def test_many_nodes(self) -> None:
        expected = self.expected_gamma(*SMALL)
        for launcher in ("srun", "mpirun"):
            with self.subTest(launcher):
                job = self.submit("jobscripts/many_nodes.sbatch", "solve", *SMALL, "--output", f"{launcher}.h5", launcher=launcher,
                                  options=["--nodes=2", "--ntasks-per-node=1", "--cpus-per-task=2"])
                self.assertEqual(self.finish(job)["NumNodes"], "2")
                self.assert_gamma(self.folder / f"{launcher}.h5", expected)
                self.assertEqual(read_attribute(self.folder / f"{launcher}.h5", "ranks"), 2)
                self.assertEqual(read_attribute(self.folder / f"{launcher}.h5", "threads_per_rank"), 2)

    def test_failure_is_that_of_the_program(self) -> None:
        for launcher in ("srun", "mpirun"):
            with self.subTest(launcher):
                job = self.submit("jobscripts/one_node.sbatch", "solve", "--data.pairs", "-1", "--output", "x.h5", launcher=launcher)
                state = self.wait(job)
                self.assertEqual((state["JobState"], state["ExitCode"]), ("FAILED", "2:0"), self.logs())
                self.assertIn("data.pairs", self.logs())

    def test_submitted_from_elsewhere(self) -> None:
        (self.folder / "jobscripts").rename(self.folder / "scripts")
        self.environment["STEPWISE_JOBSCRIPTS"] = str(self.folder / "scripts")
        self.finish(self.submit("scripts/one_node.sbatch", "solve", *SMALL, "--output", "result.h5"))
        self.assertTrue((self.folder / "result.h5").is_file(), self.logs())


class Sweep(JobScript):
    def test_every_line_is_a_run(self) -> None:
        lines = ["--kernel.depth 1", "--kernel.network 'conv 3, relu, flatten, dense' --views.crop 8",
                 "--kernel.depth 2 --kernel.bias-variance 0.1"]
        (self.folder / "sweep.txt").write_text("".join(line + "\n" for line in lines))
        options = ["--ntasks-per-node=1", "--cpus-per-task=1", "--array=1-3"]
        self.finish(self.submit("jobscripts/sweep.sbatch", "sweep.txt", "results", *SMALL, options=options))
        results = [self.folder / "results" / f"{i}.h5" for i in (1, 2, 3)]
        expected = [["--kernel.depth", "1"], ["--kernel.network", "conv 3, relu, flatten, dense", "--views.crop", "8"],
                    ["--kernel.depth", "2", "--kernel.bias-variance", "0.1"]]
        for path, settings in zip(results, expected):
            self.assert_gamma(path, self.expected_gamma(*SMALL, *settings))

        # Again: only what is missing, here by mpirun.
        results[1].unlink()
        before = [results[i].stat().st_mtime_ns for i in (0, 2)]
        job = self.submit("jobscripts/sweep.sbatch", "sweep.txt", "results", *SMALL, options=options, launcher="mpirun")
        self.finish(job)
        self.assert_gamma(results[1], self.expected_gamma(*SMALL, *expected[1]))
        self.assertEqual([results[i].stat().st_mtime_ns for i in (0, 2)], before)
        self.assertIn("results/1.h5 is there already", self.logs())


class Chain(JobScript):
    def start_chain(self, kernel: str, launcher: str = "srun") -> list[str]:
        """The numbers of the jobs submitted for the steps of the study in study/."""
        study = self.folder / "study"
        study.mkdir(exist_ok=True)
        samples = np.random.default_rng(1).standard_normal((20, 3, 8, 8))
        with h5py.File(self.folder / "new.h5", "w") as file:
            file["samples"] = samples
        (study / "kernel.ini").write_text(kernel)
        (study / "solve.ini").write_text("modes = 5\n")
        (study / "embed.ini").write_text("[data]\nsource = hdf5\npath = new.h5\n")
        run = cluster.run("jobscripts/chain.sh", "study", *NODE, cwd=self.folder,
                          environment={**self.environment, "STEPWISE_LAUNCHER": launcher})
        self.assertEqual(run.returncode, 0, run.stderr)
        return [line.split()[-1] for line in run.stdout.splitlines() if ": job " in line]

    KERNEL = "[data]\npairs = 100\n[views]\ncrop = 8\n[kernel]\ntype = ntk\n"

    def test_kernel_solve_embed(self) -> None:
        expected = self.expected_gamma(*SMALL, "--views.crop", "8")
        for launcher in ("srun", "mpirun"):
            with self.subTest(launcher):
                shutil.rmtree(self.folder / "study", ignore_errors=True)
                kernel, solve, embed = self.start_chain(self.KERNEL, launcher)
                self.finish(kernel)
                self.finish(solve)
                self.assert_gamma(self.folder / "study/result.h5", expected)
                self.wait(embed)
                self.finish(embed)
                with h5py.File(self.folder / "study/embedding.h5", "r") as file:
                    self.assertEqual(file["embeddings/new"].shape, (20, 5))

    def test_steps_that_are_done_are_left_out(self) -> None:
        self.wait(self.start_chain(self.KERNEL)[1])
        self.assertTrue((self.folder / "study/result.h5").is_file(), self.logs())
        (self.folder / "study/result.h5").unlink()
        again = self.start_chain(self.KERNEL)
        self.assertEqual(len(again), 2)
        self.finish(again[0])

    def test_nothing_follows_a_failure(self) -> None:
        kernel, solve, embed = self.start_chain("[data]\npairs = -1\n")
        self.assertEqual(self.wait(kernel)["JobState"], "FAILED", self.logs())
        for job in (solve, embed):
            self.assertEqual(self.wait(job)["JobState"], "CANCELLED", self.logs())
        self.assertFalse((self.folder / "study/result.h5").exists())


class LongRun(JobScript):
    """A run of many products with K, each a place to stop at; K itself is quickly there for the expected numbers."""

    PROBLEM = ["--data.pairs", "200", "--modes", "5", "--kernel.network", "conv 3, relu, conv 3, relu, flatten, dense"]
    RUN = ["solve", *PROBLEM, "--kernel.storage", "none", "--solver.method", "krylov", "--solver.warm-start", "0",
           "--checkpoint-interval", "1"]
    ONE_NODE = ["--nodes=1", "--ntasks-per-node=2", "--cpus-per-task=1"]
    expected: np.ndarray | None = None

    def start_run(self, name: str, *settings: str, launcher: str = "srun") -> str:
        return self.submit("jobscripts/long_run.sbatch", f"{name}.checkpoint", *self.RUN, *settings, "--output",
                           f"{name}.h5", options=self.ONE_NODE, launcher=launcher)

    def wait_for_checkpoint(self, job: str, name: str) -> None:
        folder = self.folder / f"{name}.checkpoint"
        state = self.wait(job, lambda state: state["JobState"] != "PENDING" and any(folder.glob("*.h5"))
                          or state["JobState"] not in ("PENDING", "RUNNING"))
        self.assertEqual(state["JobState"], "RUNNING", f"ended before a checkpoint\n{self.logs()}")

    def assert_result(self, name: str) -> None:
        if LongRun.expected is None:
            LongRun.expected = self.expected_gamma(*self.PROBLEM)
        self.assert_gamma(self.folder / f"{name}.h5", LongRun.expected, 1e-8)

    def test_too_little_time(self) -> None:
        """Stops by itself before the time is up, requeues, goes on, and ends; both launchers at the same time."""
        settings = self.folder / "run.ini"
        settings.write_text("max-walltime = 00:00:04\n")
        jobs = {name: self.start_run(name, "--config", "run.ini", launcher=name) for name in ("srun", "mpirun")}
        for job in jobs.values():
            self.wait(job, lambda state: state["Restarts"] != "0" or state["JobState"] not in ("PENDING", "RUNNING"))
        settings.write_text("max-walltime = none\n")  # or a slow machine would need it many times
        for name, job in jobs.items():
            with self.subTest(name):
                state = self.wait(job, seconds=200)
                self.assertEqual((state["JobState"], state["ExitCode"]), ("COMPLETED", "0:0"), self.logs())
                self.assertGreaterEqual(int(state["Restarts"]), 1, self.logs())
                self.assertIn("back into the queue", self.logs())
                self.assert_result(name)

    def test_signal(self) -> None:
        """As --signal=B:USR1 sends it before the time is up."""
        jobs = {name: self.start_run(name, launcher=name) for name in ("srun", "mpirun")}
        for name, job in jobs.items():
            self.wait_for_checkpoint(job, name)
            cluster.run("scancel", "--batch", "--signal=USR1", job)
        for name, job in jobs.items():
            with self.subTest(name):
                state = self.wait(job, seconds=200)
                self.assertEqual((state["JobState"], state["ExitCode"]), ("COMPLETED", "0:0"), self.logs())
                self.assertEqual(state["Restarts"], "1", self.logs())
                self.assertIn(f"going on from {name}.checkpoint", self.logs())
                self.assert_result(name)

    def test_scancel_leaves_a_resumable_checkpoint(self) -> None:
        jobs = {name: self.start_run(name, launcher=name) for name in ("srun", "mpirun")}
        for name, job in jobs.items():
            self.wait_for_checkpoint(job, name)
            cluster.run("scancel", job)
        for name, job in jobs.items():
            with self.subTest(name):
                state = self.wait(job)
                self.assertEqual((state["JobState"], state["Restarts"]), ("CANCELLED", "0"), self.logs())
                self.assertFalse((self.folder / f"{name}.h5").exists())
        again = {name: self.start_run(name, launcher=name) for name in jobs}
        for name, job in again.items():
            with self.subTest(name):
                self.finish(job)
                self.assertIn(f"going on from {name}.checkpoint", self.logs())
                self.assert_result(name)

        # And once more: there is nothing to do.
        before = (self.folder / "srun.h5").stat().st_mtime_ns
        self.finish(self.start_run("srun"))
        self.assertEqual((self.folder / "srun.h5").stat().st_mtime_ns, before)
