"""What a run says of itself: log, warnings, times in the result file, summary."""
from __future__ import annotations

import json
import os
import re
import subprocess
import unittest

import h5py
import numpy as np

from support import DONE, INPUT, IO, MPIEXEC, PROGRAM, ProgramTest, Run, launch

STAGES = ["open data", "checksum", "standardise", "read samples, make views", "kernel matrix", "K = L L^T"]
SPREAD = {"min", "mean", "max", "max_rank"}


class LogsTest(ProgramTest):
    def setUp(self) -> None:
        super().setUp()
        self.output = self.folder / "result.h5"
        self.log = self.folder / "run.log"
        self.summary = self.folder / "summary.json"

    def solve(self, *words: object, ranks: int = 2, code: int = DONE, modes: object = 3) -> Run:
        run = launch(["solve", "--data.pairs", 20, "--modes", modes, "--output", self.output, "--force", *words], ranks,
                     cwd=self.folder)
        self.assertEqual(run.code, code, str(run))
        return run

    def events(self) -> list[dict]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def read_summary(self) -> dict:
        self.assertEqual([path.name for path in self.folder.glob(".*")], [], "no temporary file is left")
        return json.loads(self.summary.read_text())


class Log(LogsTest):
    def test_header_on_standard_error(self) -> None:
        lines = self.solve("--seed", 5, "--kernel.network", "dense, relu, dense").messages
        first = next(i for i, line in enumerate(lines) if re.match(r"stepwise \d", line))
        self.assertRegex(lines[first], r"^stepwise \d+\.\d+\.\d+ \(commit .+, .+\)$")
        header = {}
        for line in lines[first + 1:]:
            if not line.startswith("  "):
                break
            name, value = line.split(maxsplit=1)
            header[name] = value
        self.assertEqual(list(header), ["hosts", "ranks", "libraries", "problem", "kernel", "settings"])
        self.assertRegex(header["hosts"], r"\(2 ranks\)$")
        self.assertRegex(header["ranks"], r"^2, 1 thread each, .*cores.*; process grid 2 x 1, blocks of \d+$")
        self.assertRegex(header["libraries"], r"OpenBLAS .*ScaLAPACK .*ELPA .*HDF5 \d")
        self.assertRegex(header["problem"], r"^cholesky, 40 samples of \d+ numbers, 3 modes, seed 5$")
        self.assertIn("seed 5, output ", header["settings"])
        self.assertIn("data.pairs 20", header["settings"])
        self.assertIn("kernel.network 'dense, relu, dense'", header["settings"])
        self.assertNotIn("kernel.type", header["settings"], "a default")

    def test_a_log_file_takes_all_but_warnings(self) -> None:
        run = self.solve("--log-file", self.log)
        self.assertTrue(all(line.startswith("stepwise: warning: ") for line in run.messages), str(run))
        text = self.log.read_text()
        self.assertRegex(text, r"(?m)^\d{4}-\d\d-\d\dT[\d:]+Z info    kernel matrix: \d")
        self.assertRegex(text, r"(?m)^kernel matrix +\d+\.\d{3} +\d+\.\d{3} ")
        self.assertRegex(text, r"done in \d")
        self.assertIn("kernel matrix", run.stdout, "the table is a result")

    def test_json_is_one_event_a_line(self) -> None:
        self.solve("--log-file", self.log, "--log-format", "json", "--log-level", "debug", "--benchmark")
        events = self.events()
        for event in events:
            self.assertEqual(list(event), ["time", "level", "event", "stage", "message", "fields"])
            self.assertRegex(event["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
            self.assertIn(event["level"], ("error", "warning", "info", "debug"))
        by_kind = {event["event"]: event for event in events}
        start = by_kind["start"]["fields"]
        self.assertEqual(start["ranks"], 2)
        self.assertEqual(start["seed"], 0)
        self.assertEqual(start["process_grid"], "2x1")
        self.assertEqual(start["settings"]["modes"], "3")
        self.assertIn("elpa", start["libraries"])
        self.assertGreater(start["dgemm_flops_per_second"]["min"], 0)
        self.assertEqual(by_kind["settings"]["fields"]["kernel.type"], "ntk")
        self.assertEqual([event["fields"]["rank"] for event in events if event["event"] == "rank"], [0, 1])
        self.assertEqual([event["stage"] for event in events if event["event"] == "stage"][:4], STAGES[:4])
        timing = by_kind["timing"]["fields"]
        self.assertEqual([stage["name"] for stage in timing["stages"]][:len(STAGES)], STAGES)
        kernel = timing["stages"][STAGES.index("kernel matrix")]
        self.assertEqual(set(kernel["seconds"]), SPREAD)
        self.assertGreater(kernel["flops"], 0)
        self.assertGreater(kernel["fraction_of_dgemm"], 0)
        self.assertGreater(timing["stages"][-1]["bytes"], 1000, "write")
        self.assertEqual(events[-1]["event"], "end")

    def test_json_on_standard_error_has_errors_too(self) -> None:
        run = self.solve("--log-format", "json", modes=21, code=INPUT, ranks=1)
        events = [json.loads(line) for line in run.stderr.splitlines()]
        self.assertEqual(events[-1]["level"], "error")
        self.assertIn("--modes is 21", events[-1]["message"])

    def test_levels(self) -> None:
        self.assertEqual(self.solve("--log-level", "error").messages, [])
        warnings = self.solve("--log-level", "warning").messages
        self.assertTrue(all(line.startswith("stepwise: warning: ") for line in warnings), warnings)

    def test_a_log_in_the_way_of_something(self) -> None:
        cases = [
            (["--log-file", self.folder / "no" / "run.log"], IO, "run.log: cannot be opened"),
            (["--log-file", self.folder], IO, "cannot be opened"),
            (["--log-file", self.output], INPUT, "is also --output"),
            (["--summary-json", self.output], INPUT, "is also --output"),
            (["--log-file", self.log, "--summary-json", "./run.log"], INPUT, "is also --log-file"),
            (["--summary-json", self.folder / "no" / "s.json"], IO, "s.json: cannot be written"),
            (["--log-level", "all"], INPUT, "error, warning, info, debug"),
        ]
        for words, code, message in cases:
            with self.subTest(message):
                run = self.solve(*words, code=code)
                errors = [line for line in run.messages if line.startswith("stepwise: error: ")]
                self.assertEqual(len(errors), 1, str(run))
                self.assertIn(message, errors[0])
                self.assertFalse(self.output.exists())

    def test_data_are_safe_from_logs_and_summaries(self) -> None:
        data = self.folder / "data.h5"
        with h5py.File(data, "w") as file:
            file["view_a"] = np.zeros(3)
        before = data.read_bytes()
        self.assertIn("not a text file", self.solve("--log-file", data, code=INPUT).stderr)
        self.assertIn("is no summary", self.solve("--summary-json", data, code=INPUT).stderr)
        self.assertEqual(data.read_bytes(), before)


class Warnings(LogsTest):
    def warnings(self, ranks: int, **environment: str) -> str:
        command = [MPIEXEC, "-n", str(ranks), PROGRAM, "solve", "--data.pairs", "20", "--modes", "3", "--solver.method",
                   "cholesky", "--output", str(self.output), "--force"]
        run = subprocess.run(command, env=dict(os.environ, **environment), capture_output=True, text=True,
                             stdin=subprocess.DEVNULL, timeout=90)
        self.assertEqual(run.returncode, 0, run.stderr)
        return "\n".join(line for line in run.stderr.splitlines() if line.startswith("stepwise: warning: "))

    def test_more_threads_than_cores(self) -> None:
        cores = len(os.sched_getaffinity(0))
        text = self.warnings(2, OMP_NUM_THREADS=str(cores))
        self.assertRegex(text, rf"2 ranks with {2 * cores} threads in all on {cores} cores?, .*lower OMP_NUM_THREADS")

    def test_prime_rank_count(self) -> None:
        self.assertIn("5 ranks make a 5 x 1 process grid", self.warnings(5, OMP_NUM_THREADS="1"))

    def test_ignored_variable(self) -> None:
        text = self.warnings(1, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
        self.assertIn("OPENBLAS_NUM_THREADS is ignored", text)


class Times(LogsTest):
    def check_group(self, group: h5py.Group, ranks: int) -> None:
        names = list(group["stage"].asstr()[()])
        columns = {name: group[name][()] for name in ("seconds_min", "seconds_mean", "seconds_max", "flops", "bytes")}
        for name, column in columns.items():
            self.assertEqual(column.shape, (len(names),), name)
            self.assertTrue((column >= 0).all(), name)
        slack = 1 + 1e-12
        self.assertTrue((columns["seconds_min"] <= columns["seconds_mean"] * slack).all())
        self.assertTrue((columns["seconds_mean"] <= columns["seconds_max"] * slack).all())
        self.assertGreater(group.attrs["peak_memory_min"], 1e6)
        self.assertGreaterEqual(group.attrs["peak_memory_max"], group.attrs["peak_memory_min"])
        self.assertIn(group.attrs["peak_memory_rank"], range(ranks))

    def test_of_solve(self) -> None:
        self.solve("--benchmark")
        with h5py.File(self.output) as file:
            group = file["performance"]
            self.check_group(group, 2)
            names = list(group["stage"].asstr()[()])
            self.assertEqual(names[:len(STAGES)], STAGES)
            self.assertGreater(group["flops"][names.index("kernel matrix")], 0)
            self.assertGreater(group.attrs["dgemm_flops_per_second"], 0)

    def test_of_kernel(self) -> None:
        run = launch(["kernel", "--data.pairs", 20, "--output", self.output], 2)
        self.assertEqual(run.code, DONE, str(run))
        with h5py.File(self.output) as file:
            self.check_group(file["performance"], 2)
            self.assertIn("kernel tiles", list(file["performance/stage"].asstr()[()]))
            self.assertNotIn("dgemm_flops_per_second", file["performance"].attrs)


class Summary(LogsTest):
    def check(self, status: str, code: int, ranks: int = 2) -> dict:
        summary = self.read_summary()
        self.assertEqual((summary["schema_name"], summary["status"], summary["exit_code"]),
                         ("stepwise-summary", status, code))
        self.assertIn("--summary-json", summary["command_line"])
        self.assertLessEqual(summary["started"], summary["ended"])
        self.assertEqual(set(summary["peak_memory_bytes"]), SPREAD)
        self.assertGreater(summary["peak_memory_bytes"]["min"], 1e6)
        self.assertIn("git_commit", summary["provenance"])
        if "ranks" in summary["provenance"]:
            self.assertEqual(summary["provenance"]["ranks"], ranks)
        return summary

    def test_of_a_run_that_is_done(self) -> None:
        self.summary.write_text("{}")  # an older one is replaced
        self.solve("--summary-json", self.summary)
        summary = self.check("done", DONE)
        self.assertIsNone(summary["message"])
        self.assertEqual(summary["output"], str(self.output))
        with h5py.File(self.output) as file:
            self.assertEqual(summary["residual_max"], file["diagnostics/residual"][()].max())
        self.assertEqual([stage["name"] for stage in summary["stages"]][:len(STAGES)], STAGES)
        for stage in summary["stages"]:
            self.assertLessEqual(stage["seconds"]["min"], stage["seconds"]["max"])
        self.assertRegex(summary["provenance"]["hosts"], r"\(2 ranks\)$")

    def test_of_the_kernel_command(self) -> None:
        run = launch(["kernel", "--data.pairs", 20, "--output", self.output, "--summary-json", self.summary], 2)
        self.assertEqual(run.code, DONE, str(run))
        self.assertEqual(self.check("done", DONE)["output"], str(self.output))

    def test_of_bad_settings(self) -> None:
        for modes, words, message in [("many", [], "--modes is 'many'"), (3, ["--sed", 3], "unknown option"),
                                      (21, [], "at most 20"), (3, ["--kernel.depth", -1], "--kernel.depth is '-1'")]:
            with self.subTest(message):
                self.summary.unlink(missing_ok=True)
                run = self.solve(*words, "--summary-json", self.summary, code=INPUT, modes=modes)
                summary = self.check("failed", INPUT)
                self.assertIn(message, summary["message"])
                self.assertIn(summary["message"], run.stderr)

    def test_named_in_a_configuration_file(self) -> None:
        configuration = self.folder / "run.ini"
        configuration.write_text(f"summary-json = {self.summary}\n[data]\nsource = cifar10\npath = missing\n")
        self.output.touch()
        run = launch(["solve", "--config", configuration, "--output", self.output], 2)
        self.assertEqual(run.code, INPUT, str(run))
        self.assertIn("exists already", json.loads(self.summary.read_text())["message"])

    def test_of_an_output_that_cannot_be_written(self) -> None:
        self.output = self.folder / "missing" / "result.h5"
        self.solve("--summary-json", self.summary, code=IO)
        self.assertIn("does not exist", self.check("failed", IO)["message"])

    def test_text_that_needs_escapes(self) -> None:
        odd = self.folder / 'odd "name" \\ γ.h5'
        run = launch(["solve", "--data.pairs", 20, "--output", odd, "--summary-json", self.summary, "--log-file",
                      self.log, "--log-format", "json"], 1)
        self.assertEqual(run.code, DONE, str(run))
        self.assertEqual(self.check("done", DONE, ranks=1)["output"], str(odd))
        self.assertEqual(self.events()[0]["event"], "stage")

    def test_bytes_that_are_no_text(self) -> None:
        odd = os.fsencode(self.folder) + b"/\xff.h5"
        run = subprocess.run([PROGRAM, "solve", "--data.pairs", "20", "--output", odd, "--summary-json",
                              str(self.summary)], capture_output=True, stdin=subprocess.DEVNULL, timeout=90)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertTrue(self.read_summary()["output"].endswith("/\ufffd.h5"))


if __name__ == "__main__":
    unittest.main()
