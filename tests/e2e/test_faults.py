"""One fault on one rank of four: the whole job ends soon, says which rank and why, and no broken file has a final name.

The faults come from tests/faults/inject.cpp, a library that is loaded into the real program.
"""
from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Callable, Sequence

import h5py
import numpy as np

from support import DONE, IO, MEMORY, MPIEXEC, PROGRAM, ProgramTest, Run, launch, make_pairs, options_of

INJECT = os.environ.get("STEPWISE_INJECT", "")
INTERNAL = 70  # exit code
RANKS = 4
SECONDS = 30  # a job with a fault ends within


def processes_with(mark: str) -> dict[int, str]:
    """The processes that have `mark` in their environment, with their command lines."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "environ").read_bytes():
                found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue  # ended meanwhile, or somebody else's
    return found


class FaultTest(ProgramTest):
    def setUp(self) -> None:
        super().setUp()
        if not INJECT:
            self.skipTest("the library that makes faults was not built")
        self.out = self.folder / "out"
        self.out.mkdir()
        self.output = self.out / "result.h5"
        self.options = {"data.source": "hdf5", "data.path": self.write_pairs(*make_pairs(40, 6, tests=3)), "modes": 3}

    def inject(self, fault: str, rank: int, words: Sequence[object],
               meanwhile: Callable[[str], None] = lambda mark: None) -> Run:
        """Runs the program with one fault; it must end in time, and all its processes with it.

        `meanwhile` is called with what all processes have in their environment.
        """
        mark = f"STEPWISE_TEST_MARK={uuid.uuid4()}"
        name, value = mark.split("=")
        command = [MPIEXEC, "-n", str(RANKS), "env", f"LD_PRELOAD={INJECT}", PROGRAM, *map(str, words)]
        environment = dict(os.environ, STEPWISE_FAULT=fault, STEPWISE_FAULT_RANK=str(rank), **{name: value},
                           OMPI_MCA_odls_base_sigkill_timeout="0")
        process = subprocess.Popen(command, cwd=self.folder, env=environment, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
        try:
            meanwhile(mark)
            stdout, stderr = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            self.fail(f"{fault} on rank {rank}: no end after {SECONDS} s")
        run = Run(f"{fault} on rank {rank}: {' '.join(command)}", process.returncode, stdout, stderr)
        deadline = time.monotonic() + SECONDS
        while (left := processes_with(mark)) and time.monotonic() < deadline:
            time.sleep(0.1)
        self.assertEqual(left, {}, f"processes remain\n{run}")
        return run

    def solve_with(self, fault: str, rank: int, **more: object) -> Run:
        return self.inject(fault, rank, ["solve", *options_of({**self.options, **more, "output": self.output})])

    def left(self) -> list[str]:
        return sorted(path.name for path in self.out.iterdir())

    def ends(self, fault: str, pattern: str, codes: int | Sequence[int], ranks: Sequence[int] = (0, 2),
             partial: bool = False, **more: object) -> None:
        """`fault` on each of `ranks` in turn: the exit code, a message with `pattern`, where {rank} is the rank.

        No file is left, but where nobody could tidy up a `partial` one.
        """
        for rank in ranks:
            with self.subTest(fault, rank=rank):
                run = self.solve_with(fault, rank, **more)
                self.assertIn(run.code, [codes] if isinstance(codes, int) else codes, str(run))
                self.assertRegex(run.stderr, pattern.format(rank=rank), str(run))
                left = [name for name in self.left() if not (partial and name.startswith(".result.h5.partial."))]
                self.assertEqual(left, [], str(run))


class Ends(FaultTest):
    def test_exception(self) -> None:
        self.ends("throw@allreduce#10", r"error: \[rank {rank}\] .*thrown by the test", INTERNAL)

    def test_exception_while_others_are_inside_hdf5(self) -> None:
        self.ends("throw@allreduce:partial#2", r"error: \[rank {rank}\] .*thrown by the test", INTERNAL, ranks=(2,))

    def test_exit(self) -> None:
        self.ends("exit@allreduce#10", r"error: \[rank {rank}\] exit\(\) was called", INTERNAL)

    def test_exit_without_handlers(self) -> None:
        # Nothing of the program runs any more; mpirun says it.
        self.ends("_exit@allreduce#10", r"process rank {rank} with PID \d+ on\s+node \S+ exiting improperly", 1)

    def test_deadly_signals(self) -> None:
        for fault, number in (("segv", signal.SIGSEGV), ("abort", signal.SIGABRT), ("fpe", signal.SIGFPE)):
            self.ends(f"{fault}@allreduce#10", rf"error: \[rank {{rank}}\] killed by signal {number:d} \(",
                      128 + number, ranks=(0,) if fault == "fpe" else (0, 2))

    def test_kill(self) -> None:
        self.ends("kill@allreduce#10", r"process rank {rank} .*exited on signal 9", 128 + signal.SIGKILL)

    def test_segmentation_fault_while_writing(self) -> None:
        self.ends("segv@write:partial#3", r"error: \[rank {rank}\] killed by signal 11", 128 + signal.SIGSEGV,
                  partial=True)
        self.assertNotEqual(self.left(), [], "the fault was meant to leave something")
        run = launch(["solve", *options_of({**self.options, "output": self.output})], RANKS)
        self.assertEqual(run.code, DONE, str(run))
        self.assertEqual(self.left(), ["result.h5"], "the next run tidies up")

    def test_no_memory(self) -> None:
        pairs = 600  # so that a quarter of the matrix is larger than anything else
        path = self.write_pairs(*make_pairs(pairs, 6), name="many.h5")
        self.ends(f"null@malloc:{2 * pairs * pairs * 8 // 2 - 500_000}", r"error: \[rank {rank}\] out of memory", MEMORY,
                  **{"data.path": path, "solver.method": "cholesky"})


class Stalls(FaultTest):
    def stalls(self, cases: Sequence[tuple[str, int, str]], **more: object) -> None:
        """Each fault on its rank, all at once, since this is mostly waiting; the message has the word."""
        def stall(case: tuple[str, int, str]) -> Run:
            fault, rank, word = case
            options = {**self.options, **more, "output": self.out / f"{word}{rank}.h5"}
            return self.inject(f"{fault}@allreduce#10", rank, ["solve", *options_of(options)])

        with ThreadPoolExecutor(len(cases)) as pool:
            for (fault, rank, word), run in zip(cases, pool.map(stall, cases)):
                self.assertEqual(run.code, INTERNAL, str(run))
                self.assertRegex(run.stderr, rf"error: \[rank \d\] rank {rank} \(process \d+ on \S+\): {word} for \d+ s",
                                 str(run))
        self.assertEqual(self.left(), [])

    def test_with_a_limit(self) -> None:
        self.stalls([("stop", 0, "stopped"), ("stop", 2, "stopped"), ("sleep", 0, "asleep"), ("sleep", 2, "asleep")],
                    **{"stall-limit": 4})

    def test_without_a_setting(self) -> None:
        self.stalls([("stop", 1, "stopped")])

    def test_neither_waiting_for_a_busy_rank_nor_a_suspended_job_is_a_stall(self) -> None:
        def suspend(mark: str) -> None:
            ranks: list[int] = []
            while len(ranks) < RANKS:
                time.sleep(0.1)
                ranks = [number for number, command in processes_with(mark).items() if command.startswith(PROGRAM)]
            time.sleep(3)
            for order in (signal.SIGSTOP, signal.SIGCONT):
                for number in ranks:
                    os.kill(number, order)
                time.sleep(5)

        words = ["solve", *options_of({**self.options, "stall-limit": 3, "output": self.output})]
        run = self.inject("busy@allreduce#10", 2, words, suspend)
        self.assertEqual(run.code, DONE, str(run))


class Files(FaultTest):
    def test_input_that_one_rank_cannot_open(self) -> None:
        self.ends("EACCES@open:pairs.h5", r"error: \[rank {rank}\] \S*pairs\.h5: .*Permission denied", IO)

    def test_output_that_cannot_be_created(self) -> None:
        self.ends("EACCES@open:partial", r"error: --output \S*result\.h5: .*Permission denied", IO, ranks=(0,))
        self.ends("EACCES@open:partial#2", r"error: HDF5: creating \S*result\.h5\S* failed", IO, ranks=(0,))
        self.ends("ENOSPC@open:partial", r"error: HDF5: creating \S*result\.h5\S* failed", IO, ranks=(2,))

    def test_output_that_cannot_be_written(self) -> None:
        for fault, ranks in (("EIO@write:partial", (0, 2)), ("EIO@write:partial#5", (2,)), ("ENOSPC@write:partial", (2,))):
            self.ends(fault, r"error: \[rank {rank}\] writing or reading a file failed: .*input/output error", IO,
                      ranks=ranks, partial=True)

    def test_short_writes_are_completed(self) -> None:
        undisturbed = self.solve_file(self.options, RANKS)
        for rank in (0, 2):
            for number in (2, 4):
                with self.subTest(rank=rank, number=number):
                    run = self.solve_with(f"short@write:partial#{number}", rank, force=True)
                    self.assertEqual(run.code, DONE, str(run))
                    self.assert_same_numbers(self.output, undisturbed)

    def assert_same_numbers(self, actual: Path, expected: Path) -> None:
        with h5py.File(actual) as a, h5py.File(expected) as b:
            names: list[str] = []
            b.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
            for name in names:
                if np.issubdtype(b[name].dtype, np.number):
                    np.testing.assert_allclose(a[name][()], b[name][()], rtol=1e-9, atol=1e-12, err_msg=name)

    def test_full_disk(self) -> None:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "stepwise-test", self.out],
                                 capture_output=True, text=True)
        if mounted.returncode != 0:
            self.skipTest(f"no small tmpfs: {mounted.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", self.out], check=True)
        self.ends("none@allreduce", r"error: --output \S*result\.h5: no room for \d+ bytes: No space left on device", IO,
                  ranks=(0,))


class Tiles(FaultTest):
    """stepwise kernel, where every rank writes files of its own."""

    def kernel(self, fault: str, rank: int) -> Run:
        self.options.pop("modes", None)
        run = self.inject(fault, rank, ["kernel", *options_of({**self.options, "kernel.tile": 8, "output": self.output})])
        return run

    def test_full_disk_then_room(self) -> None:
        for rank in (0, 2):
            for fault, reason in (("ENOSPC@write:tile-", "No space left"), ("EIO@write:tile-", "Input/output error")):
                with self.subTest(fault, rank=rank):
                    run = self.kernel(fault, rank)
                    self.assertEqual(run.code, IO, str(run))
                    self.assertRegex(run.stderr, rf"error: \[rank {rank}\] \S*tile-\S*: cannot be written: {reason}")
                    self.assertFalse(self.output.exists())
        run = self.kernel("none@allreduce", 0)
        self.assertEqual(run.code, DONE, str(run))
        self.assertEqual(self.left(), ["result.h5"])

    def test_short_writes_are_completed(self) -> None:
        run = self.kernel("none@allreduce", 0)
        self.assertEqual(run.code, DONE, str(run))
        expected = self.output.rename(self.folder / "expected.h5")
        for rank in (0, 2):
            run = self.kernel("short@write:tile-#2", rank)
            self.assertEqual(run.code, DONE, str(run))
            with h5py.File(self.output) as a, h5py.File(expected) as b:
                np.testing.assert_array_equal(a["kernel/train"][()], b["kernel/train"][()])
            self.output.unlink()


class LeftOvers(FaultTest):
    def test_only_what_is_given_up_is_removed(self) -> None:
        ended = subprocess.Popen(["true"])
        ended.wait()
        here, day = socket.gethostname(), 24 * 3600
        old = time.time() - 2 * day
        kept = [f".result.h5.partial.{here}.{os.getpid()}",  # this process is alive
                ".result.h5.partial.elsewhere.4711",  # perhaps it is there
                f".other.h5.partial.{here}.{ended.pid}"]  # another result's
        removed = [f".result.h5.partial.{here}.{ended.pid}", ".result.h5.partial.faraway.4711"]
        for name in kept + removed:
            (self.out / name).write_text("part")
        os.utime(self.out / removed[1], (old, old))
        os.utime(self.out / kept[0], (old, old))
        run = launch(["solve", *options_of({**self.options, "output": self.output})])
        self.assertEqual(run.code, DONE, str(run))
        self.assertEqual(self.left(), sorted([*kept, "result.h5"]))
