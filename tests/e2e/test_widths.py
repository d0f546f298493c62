"""Networks of many widths: exponents of the width, scalings of the hyperparameters, ranks, divergence, stops."""
from __future__ import annotations

import math
import signal
import subprocess
import time
import unittest
from pathlib import Path
from typing import Mapping

import h5py
import numpy as np

from support import DONE, INPUT, MPIEXEC, NUMERICAL, PROGRAM, SHARED, ProgramTest, launch, make_pairs, options_of

Array = np.ndarray
STOPPED = 75


def read(path: Path) -> dict[str, Array]:
    found: dict[str, Array] = {}

    def visit(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = item[()]

    with h5py.File(path, "r") as file:
        assert file.attrs["status"] == "complete"
        file.visititems(visit)
    return found


def fitted(widths: Array, values: Array) -> tuple[float, float]:
    """Slope of the logarithms for each seed (values: widths x seeds), then mean and standard error."""
    slopes = [np.polyfit(np.log(widths), np.log(v), 1)[0] for v in values.T]
    return float(np.mean(slopes)), float(np.std(slopes, ddof=1) / math.sqrt(len(slopes)))


class Widths(ProgramTest):
    """A study on few small samples with labels."""

    def setUp(self) -> None:
        super().setUp()
        first, second, _ = make_pairs(10, 8)
        labels = (first[:, 0] > 0).astype(np.int64) + 3
        self.path = self.write_pairs(first, second, labels=labels)
        self.output = self.folder / "widths.h5"

    def command(self, **options: object) -> list[str]:
        words: dict[str, object] = {
            "model": "widths", "data.source": "hdf5", "data.path": self.path, "training.method": "descent",
            "training.rate": 0.1, "training.steps": 20, "study.widths": "16,64,256", "study.seeds": 3,
            "study.activations": "tanh", "study.outputs": 2}
        words |= {name.replace("__", ".").replace("_", "-"): value for name, value in options.items()}
        return ["simulate", *options_of(words), "--output", str(self.output), "--force"]

    def study(self, ranks: int = 1, **options: object) -> dict[str, Array]:
        run = launch(self.command(**options), ranks)
        self.assertEqual(run.code, DONE, str(run))
        return read(self.output)

    def assert_same(self, actual: Mapping[str, Array], expected: Mapping[str, Array], what: str) -> None:
        self.assertEqual(actual.keys(), expected.keys())
        for name, values in expected.items():
            same = np.array_equal(actual[name], values, equal_nan=values.dtype.kind == "f")
            self.assertTrue(same, f"{what}: {name}")

    def test_exponents_and_divergences_follow_from_the_results(self) -> None:
        found = self.study(study__scalings="ntk,mean-field", study__reference=16)
        self.assertEqual([name.decode() for name in found["variant"]],
                         ["tanh, 2 outputs, plain, ntk", "tanh, 2 outputs, plain, mean-field"])
        self.assertEqual(found["width"].tolist(), [16, 64, 256])
        for name in ("kernel_change", "feature_change", "neuron_distance", "start_outputs"):
            for variant, values in enumerate(found[f"study/{name}"]):
                value, error = fitted(found["width"], values)
                self.assertAlmostEqual(found[f"exponent/{name}"][variant], value, delta=1e-9)
                self.assertAlmostEqual(found[f"exponent/{name}_error"][variant], error, delta=1e-9)
        mean, variance = found["study/output_mean"], found["study/output_variance"]
        m = mean.mean(axis=2)
        v = (variance + (mean - m[:, :, None]) ** 2).mean(axis=2)
        kl = 0.5 * (np.log(v[:, :1] / v) + (v + (m - m[:, :1]) ** 2) / v[:, :1] - 1)
        self.assert_close(found["study/divergence"], kl, 1e-10, "KL divergence")

    def test_any_number_of_ranks_gives_the_same_bits(self) -> None:
        options = {"study__scalings": "ntk,default", "study__activations": "tanh,relu"}
        alone = self.study(**options)
        for ranks in (2, 3):
            self.assert_same(self.study(ranks, **options), alone, f"{ranks} ranks")

    def test_what_diverges_is_named_and_left_out(self) -> None:
        options = {"study__scalings": "ntk,default", "study__reference": 16, "training__rate": 0.3}
        run = launch(self.command(**options), 2)
        self.assertEqual(run.code, DONE, str(run))
        self.assertRegex(run.stderr, r"width 256, seed \d \(tanh, 2 outputs, plain, default\) diverges after step \d+")
        found = read(self.output)
        lost = found["study/steps"] < 20
        self.assertFalse(lost[0].any())
        self.assertTrue(lost[1, 2].all())
        for name in ("loss", "kernel_change", "feature_change"):
            np.testing.assert_array_equal(np.isnan(found[f"study/{name}"]), lost, name)
        self.output.unlink()
        run = launch(self.command(training__rate=1e4), 2)
        self.assertEqual(run.code, NUMERICAL, str(run))
        self.assertIn("--training.rate below 10000", run.stderr)
        self.assertFalse(self.output.exists())

    def test_stopped_studies_go_on(self) -> None:
        options = {"study__seeds": 12, "training__steps": 300}
        expected = self.study(2, **options)
        self.output.unlink()
        kept = self.folder / "kept"
        command = [*self.command(**options), "--restart", str(kept), "--checkpoint-interval", "0"]
        run = subprocess.Popen([MPIEXEC, "-n", "2", PROGRAM, *command], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 60
        while not (kept / "widths.h5").exists() and run.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        if run.poll() is None:
            run.send_signal(signal.SIGUSR1)
        stdout, stderr = run.communicate(timeout=60)
        self.assertIn(run.returncode, (DONE, STOPPED), stdout + stderr)
        if run.returncode == STOPPED:
            again = launch(command, 3)
            self.assertEqual(again.code, DONE, str(again))
            self.assertRegex(again.stderr + again.stdout, r"going on after \d+ of 36 trainings")
        self.assert_same(read(self.output), expected, "stopped and gone on")

    def test_what_makes_no_sense_is_refused(self) -> None:
        for options, message in (
                ({"study__widths": "64,32"}, "ascending"),
                ({"study__widths": "64,no"}, "--study.widths has 'no'"),
                ({"study__scalings": "mean field"}, "corrected-mean-field"),
                ({"study__losses": "hinge"}, "--study.losses names 'hinge'"),
                ({"study__losses": "logistic"}, "is of 1 output"),
                ({"study__activations": "tanh,step"}, "step"),
                ({"training__method": "flow"}, "--training.method is flow"),
                ({"model": "linear"}, "--study.")):
            with self.subTest(options):
                run = launch(self.command(**options))
                self.assertEqual(run.code, INPUT, str(run))
                self.assertIn(message, run.stderr)
        first, second, _ = make_pairs(6, 4)
        path = self.write_pairs(first, second, name="unlabelled.h5")
        run = launch(self.command(data__path=path, study__losses="logistic", study__outputs=1), 2)
        self.assertEqual(run.code, INPUT, str(run))
        self.assertIn("--study.losses plain", run.stderr)


class Limits(ProgramTest):
    """What the presets are for, on images and with less of everything."""

    def data(self) -> dict[str, object]:
        cifar = SHARED / "data" / "cifar-10-batches-bin"
        return {"data.path": cifar} if cifar.is_dir() else {}

    def study(self, options: Mapping[str, object]) -> dict[str, Array]:
        output = self.folder / "widths.h5"
        run = launch(["simulate", *options_of({**options, **self.data()}), "--output", output], 2)
        self.assertEqual(run.code, DONE, str(run))
        return read(output)

    def test_tangent_features_of_tanh_change_as_the_inverse_root_of_the_width(self) -> None:
        found = self.study({"preset": "width", "data.pairs": 16, "views.crop": 10, "study.activations": "tanh",
                            "study.outputs": "1,4", "study.widths": "64,128,256,512,1024", "study.seeds": 6})
        for variant in range(2):
            def exponent(name: str) -> float:
                self.assertLess(found[f"exponent/{name}_error"][variant], 0.1)
                return float(found[f"exponent/{name}"][variant])

            self.assertTrue(-0.6 < exponent("feature_change") < -0.4, exponent("feature_change"))
            self.assertTrue(-0.6 < exponent("limit_distance") < -0.4, exponent("limit_distance"))
            self.assertTrue(-1.2 < exponent("kernel_change") < -0.8, exponent("kernel_change"))
            self.assertTrue(-0.1 < exponent("weight_distance") < 0.1, exponent("weight_distance"))
            self.assertLess(exponent("neuron_distance"), -0.25)

    def test_scalings_tell_their_limits_by_their_kernels(self) -> None:
        if not self.data():
            self.skipTest("no CIFAR-10 in shared/data, and other images have no labels")
        found = self.study({"preset": "scalings", "data.pairs": 16, "views.crop": 10, "study.widths": "64,256,1024",
                            "study.seeds": 3, "training.steps": 60})
        names = [name.decode().split(", ")[-1] for name in found["variant"]]
        change = dict(zip(names, found["exponent/kernel_change"]))
        start = dict(zip(names, found["exponent/start_outputs"]))
        kernel = dict(zip(names, found["exponent/start_kernel"]))
        self.assertLess(change["ntk"], -0.8)
        for moving in ("mean-field", "corrected-mean-field"):
            self.assertGreater(change[moving], -0.2)
            self.assertAlmostEqual(kernel[moving], 0, delta=0.15)
        self.assertAlmostEqual(start["mean-field"] - start["ntk"], -0.5, delta=1e-9)
        self.assertAlmostEqual(start["corrected-mean-field"], start["ntk"], delta=1e-9)
        self.assertAlmostEqual(kernel["sym-default"], 0.5, delta=0.15)
        self.assertGreater(kernel["default"], 0.5)
        self.assertEqual(np.abs(found["study/divergence"][:, 0]).max(), 0)
        reference = found["study/kernel_change"][:, 0]
        np.testing.assert_array_equal(reference, np.broadcast_to(reference[0], reference.shape))


if __name__ == "__main__":
    unittest.main()
