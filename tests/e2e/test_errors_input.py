"""Bad input files and impossible requests: the right exit code, one clear message, nothing left behind."""
from __future__ import annotations

import gzip
import importlib.util
import os
import subprocess
import sys
import unittest
import venv
from pathlib import Path
from typing import Mapping

import h5py
import numpy as np

from refusal import RefusalTest
from support import DONE, INPUT, IO, MEMORY, NUMERICAL, ProgramTest, launch, make_pairs, options_of
from test_images import idx_bytes, write_cifar


class Arrays(RefusalTest):
    def setUp(self) -> None:
        super().setUp()
        self.first, self.second, self.tests = make_pairs(12, 5, tests=3)

    def refuse_file(self, path: Path, *patterns: str, options: Mapping[str, object] = {}, **more: object) -> None:
        options = {"data.source": "hdf5", "data.path": path, "modes": 2, "kernel.type": "linear", **options}
        self.refuse(["solve", *options_of(options)], *patterns, **more)

    def test_missing_file(self) -> None:
        self.refuse_file(self.folder / "absent.h5", r"absent\.h5", ranks=(1, 4))

    def test_no_path(self) -> None:
        self.refuse(["solve", "--data.source", "hdf5", "--modes", 2], r"data\.path")

    def test_directory(self) -> None:
        self.refuse_file(self.here, "here")

    def test_empty_file(self) -> None:
        (self.folder / "empty.h5").touch()
        self.refuse_file(self.folder / "empty.h5", r"empty\.h5", ranks=(1, 4))

    def test_truncated_file(self) -> None:
        path = self.write_pairs(self.first, self.second)
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
        self.refuse_file(path, r"pairs\.h5", ranks=(1, 4))

    def test_not_hdf5(self) -> None:
        (self.folder / "notes.h5").write_text("dear diary\n" * 1000)
        self.refuse_file(self.folder / "notes.h5", r"notes\.h5")

    def test_without_the_datasets(self) -> None:
        path = self.folder / "other.h5"
        with h5py.File(path, "w") as file:
            file["something"] = self.first
        self.refuse_file(path, r"other\.h5", "view_a")
        with h5py.File(path, "w") as file:
            file["view_a"] = self.first
        self.refuse_file(path, r"other\.h5", "view_b")
        with h5py.File(path, "w") as file:
            file["view_a"] = self.first
            file.create_group("view_b")
        self.refuse_file(path, r"other\.h5", "view_b")

    def test_views_of_different_length(self) -> None:
        self.refuse_file(self.write_pairs(self.first, self.second[:-1]), "view_a.*view_b|view_b.*view_a", "12", "11",
                         ranks=(1, 4))

    def test_views_of_different_shape(self) -> None:
        self.refuse_file(self.write_pairs(self.first, self.second[:, :-1]), "view_b")

    def test_tests_of_different_shape(self) -> None:
        self.refuse_file(self.write_pairs(self.first, self.second, self.tests[:, :-1]), r"\btest\b")

    def test_labels_of_different_length(self) -> None:
        self.refuse_file(self.write_pairs(self.first, self.second, labels=np.arange(7)), "labels", "7")

    def test_labels_beyond_64_bits(self) -> None:
        labels = np.arange(12, dtype=np.uint64)
        labels[7] = 2**63
        self.refuse_file(self.write_pairs(self.first, self.second, labels=labels), r"pairs\.h5", "labels", str(2**63),
                         ranks=(1, 4))

    def test_dangling_external_link(self) -> None:
        path = self.folder / "linked.h5"
        with h5py.File(path, "w") as file:
            file["view_a"] = h5py.ExternalLink("absent.h5", "/view_a")
        self.refuse_file(path, r"linked\.h5", "view_a", r"absent\.h5")

    def test_no_samples(self) -> None:
        self.refuse_file(self.write_pairs(self.first[:0], self.second[:0]), "view_a|pairs")

    def test_single_numbers(self) -> None:
        self.refuse_file(self.write_pairs(np.float64(1), np.float64(2)), "view_a")

    def test_text(self) -> None:
        words = np.array([["a", "b"]] * 12, dtype="S4")
        self.refuse_file(self.write_pairs(words, words), "view_a", ranks=(1, 4))
        path = self.folder / "strings.h5"
        with h5py.File(path, "w") as file:
            for name in ("view_a", "view_b"):
                file.create_dataset(name, data=["x"] * 12, dtype=h5py.string_dtype())
        self.refuse_file(path, "view_a")

    def test_complex_numbers(self) -> None:
        self.refuse_file(self.write_pairs(self.first + 1j, self.second + 0j), "view_a")

    def test_not_finite(self) -> None:
        """In the first, a middle and the last sample, so that each rank in turn is the one that sees it."""
        for row, value in ((0, np.nan), (5, np.inf), (11, np.nan)):
            first, second = self.first.copy(), self.second.copy()
            (first if row < 11 else second)[row, 3] = value
            self.refuse_file(self.write_pairs(first, second), r"pairs\.h5", "view_b" if row == 11 else "view_a",
                             "nan|inf|finite", rf"\b{row}\b", ranks=(4,))
        tests = self.tests.copy()
        tests[2, 0] = -np.inf
        self.refuse_file(self.write_pairs(self.first, self.second, tests), r"\btest\b", r"\b2\b", ranks=(1, 4))

    def test_kernel_overflows(self) -> None:
        self.refuse_file(self.write_pairs(self.first * 1e200, self.second * 1e200), "finite|overflow|inf|large",
                         code=(INPUT, NUMERICAL), ranks=(1, 4))

    def test_more_samples_than_there_are(self) -> None:
        path = self.write_pairs(self.first, self.second, self.tests)
        self.refuse_file(path, r"\b13\b", r"\b12\b", "auto", options={"data.pairs": 13}, ranks=(1, 4))
        self.refuse_file(path, r"\b4\b", r"\b3\b", options={"data.test": 4})

    def test_modes_out_of_range(self) -> None:
        path = self.write_pairs(self.first, self.second)
        for modes in (0, -1):
            self.refuse_file(path, "modes", str(modes), options={"modes": modes})
        self.refuse_file(path, "modes", r"\b25\b", r"\b24\b", options={"modes": 25}, ranks=(1, 4))

    def refuse_file_modes(self, modes: int, positive: int, kernel: str) -> None:
        path = self.write_pairs(self.first, self.second)
        for method, ranks in (("spectral", 1), ("cholesky", 4), ("krylov", 4)):
            self.refuse_file(path, rf"\b{modes}\b", rf"\b{positive}\b", "positive", ranks=(ranks,),
                             options={"kernel.type": kernel, "modes": modes, "solver.method": method})

    def test_more_modes_than_positive_ones(self) -> None:
        self.refuse_file_modes(8, 5, "linear")  # five features, so Gamma is 5 x 5
        self.refuse_file_modes(13, 12, "laplace")  # positive definite, so half of 2n

    def test_nothing_positive(self) -> None:
        self.refuse_file(self.write_pairs(self.first * 0, self.second * 0), "positive", r"\b0\b",
                         code=(INPUT, NUMERICAL))
        self.refuse_file(self.write_pairs(self.first, -self.first), "positive", r"\b0\b")


class Images(RefusalTest):
    def setUp(self) -> None:
        super().setUp()
        rng = np.random.default_rng(0)
        self.batches = self.folder / "batches"
        self.batches.mkdir()
        self.images, self.labels = rng.integers(0, 256, (6, 3, 32, 32)), np.arange(6)
        write_cifar(self.batches / "data_batch_1.bin", self.images, self.labels)
        write_cifar(self.batches / "test_batch.bin", self.images[:2], self.labels[:2])

        self.options = {"data.source": "cifar10", "data.path": self.batches, "data.pairs": 5, "modes": 2,
                        "kernel.type": "linear", "views.crop": 20}

    def refuse_images(self, *patterns: str, options: Mapping[str, object] = {}, **more: object) -> None:
        self.refuse(["solve", *options_of({**self.options, **options})], *patterns, **more)

    def test_good_to_begin_with(self) -> None:
        self.solve({**self.options, "data.test": 2}, ranks=2)

    def test_missing_directory(self) -> None:
        self.refuse_images("absent", options={"data.path": self.folder / "absent"}, ranks=(1, 4))

    def test_directory_without_batches(self) -> None:
        self.refuse_images("here", options={"data.path": self.here})

    def test_gap_between_batches(self) -> None:
        (self.batches / "data_batch_3.bin").write_bytes((self.batches / "data_batch_1.bin").read_bytes())
        self.refuse_images(r"data_batch_2\.bin")

    def test_bad_sizes(self) -> None:
        path = self.batches / "data_batch_1.bin"
        whole = path.read_bytes()
        for content in (b"", whole[:-100], whole + b"x", whole[:100]):
            path.write_bytes(content)
            self.refuse_images(r"data_batch_1\.bin", "empty" if not content else str(len(content)), ranks=(4,))

    def test_bad_label(self) -> None:
        self.labels[3] = 200
        write_cifar(self.batches / "data_batch_1.bin", self.images, self.labels)
        self.refuse_images(r"data_batch_1\.bin", "label", "200")

    def test_more_pairs_than_images(self) -> None:
        self.refuse_images(r"\b7\b", r"\b6\b", options={"data.pairs": 7}, ranks=(1, 4))

    def test_more_tests_than_images(self) -> None:
        self.refuse_images(r"\b3\b", r"\b2\b", options={"data.test": 3})

    def test_no_test_batch(self) -> None:
        (self.batches / "test_batch.bin").unlink()
        self.refuse_images(r"test_batch\.bin", options={"data.test": 1})

    def test_crop_larger_than_the_image(self) -> None:
        self.refuse_images("crop", r"\b33\b", r"\b32\b", options={"views.crop": 33}, ranks=(1, 4))
        self.refuse(["solve", "--data.pairs", 8, "--modes", 2, "--views.crop", 500], "crop", "500")


class Digits(RefusalTest):
    def setUp(self) -> None:
        super().setUp()
        rng = np.random.default_rng(0)
        self.pixels, self.labels = idx_bytes(rng.integers(0, 256, (6, 28, 28))), idx_bytes(rng.integers(0, 10, 6))
        self.digits = self.folder / "digits"
        self.digits.mkdir()
        self.write(self.pixels, self.labels)

    def write(self, pixels: bytes, labels: bytes) -> None:
        (self.digits / "train-images-idx3-ubyte.gz").write_bytes(pixels)
        (self.digits / "train-labels-idx1-ubyte").write_bytes(labels)

    def refuse_digits(self, *patterns: str, options: Mapping[str, object] = {}, ranks: tuple[int, ...] = (1, 2)) -> None:
        words = options_of({"data.source": "mnist", "data.path": self.digits, "modes": 2, "kernel.type": "linear", **options})
        self.refuse(["solve", *words], *patterns, ranks=ranks)

    def test_files(self) -> None:
        compressed = gzip.compress(self.pixels)
        other = idx_bytes(np.zeros(5))
        for patterns, pixels, labels in ((("announces", "truncated"), self.pixels[:-1], self.labels),
                                         (("begins with", "0x00000803"), self.labels + self.pixels, self.labels),
                                         (("gzip", "cut off"), compressed[:-50], self.labels),
                                         (("gzip", "damaged"), compressed[:-8] + bytes(8), self.labels),
                                         (("5 labels", "6 images"), compressed, other),
                                         (("labels", "truncated"), compressed, self.labels[:-1]),
                                         (("is empty",), b"", self.labels)):
            with self.subTest(patterns=patterns):
                self.write(pixels, labels)
                self.refuse_digits("labels-idx1" if "5 labels" in patterns else "train-(images|labels)-idx", *patterns)

    def test_counts(self) -> None:
        self.refuse_digits(r"\b7\b", r"\b6\b", options={"data.pairs": 7}, ranks=(2,))
        self.refuse_digits(r"data\.pairs.* 5 ", "only part", options={"data.pairs": 5, "data.test": 2}, ranks=(2,))
        self.refuse_digits(r"data\.test.* 6 ", options={"data.test": 6}, ranks=(2,))

    def test_crop(self) -> None:
        self.refuse_digits("crop", r"\b29\b", r"\b28\b", options={"views.crop": 29}, ranks=(2,))


class Output(RefusalTest):
    words = ("solve", "--data.pairs", 8, "--kernel.type", "linear")

    def test_missing_directory(self) -> None:
        self.refuse(self.words, "absent", code=IO, output=self.out / "absent" / "result.h5", ranks=(1, 4))

    def test_directory_that_is_a_file(self) -> None:
        (self.out / "file").write_text("x")
        self.refuse(self.words, "file", code=IO, output=self.out / "file" / "result.h5")

    @unittest.skipUnless(Path("/proc/self").is_dir(), "no /proc, which nobody can write to")
    def test_directory_nobody_can_write_to(self) -> None:
        self.refuse(self.words, "/proc", code=IO, output="/proc/result.h5", ranks=(1, 4))

    @unittest.skipIf(os.geteuid() == 0, "root may write everywhere")
    def test_directory_without_permission(self) -> None:
        locked = self.out / "locked"
        locked.mkdir(mode=0o555)
        self.refuse(self.words, "locked", code=IO, output=locked / "result.h5")

    def test_existing_output(self) -> None:
        output = self.out / "result.h5"
        output.write_text("precious")
        self.refuse(self.words, r"result\.h5", "--force", ranks=(1, 4))
        # Even with --force a run that fails leaves the old file.
        self.refuse([*self.words, "--force", "--modes", 999], "modes")
        run = launch([*self.words, "--force", "--modes", 2, "--output", output], 2)
        self.assertEqual(run.code, DONE, str(run))
        self.assertTrue(h5py.is_hdf5(output))
        self.assertEqual([path.name for path in self.out.iterdir()], ["result.h5"])

    def test_output_that_is_no_file(self) -> None:
        os.mkfifo(self.out / "fifo")
        for path in (self.out / "fifo", "/dev/null"):
            self.refuse([*self.words, "--force"], str(path), "not a regular file", output=path, ranks=(1, 4))

    def test_links(self) -> None:
        link, target = self.out / "link.h5", self.here / "target.h5"
        link.symlink_to("../here/target.h5")
        for more in ((), ("--force",)):
            run = launch([*self.words, "--modes", 2, "--output", link, *more], 2)
            self.assertEqual(run.code, DONE, str(run))
            self.assertTrue(link.is_symlink() and target.is_file() and not target.is_symlink())
        self.refuse(self.words, r"link\.h5", "--force", output=link)

    def test_output_that_is_the_input(self) -> None:
        path = self.write_pairs(*make_pairs(8, 5)[:2], name="out/pairs.h5")
        words = ["solve", "--data.source", "hdf5", "--data.path", path, "--modes", 2]
        for more in ([], ["--force"]):
            self.refuse([*words, *more], r"pairs\.h5", "input", output=self.here / "../out/pairs.h5", ranks=(1, 4))

    def test_full_disk(self) -> None:
        mount = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", self.out]
        if subprocess.run(mount, stderr=subprocess.DEVNULL).returncode != 0:
            self.skipTest("a small file system cannot be mounted here")
        self.addCleanup(subprocess.run, ["umount", self.out], check=True)
        self.refuse([*self.words, "--modes", 2], f"--output {self.out}/result.h5", "no space", code=IO, ranks=(1, 4))

    def test_not_enough_memory(self) -> None:
        """Four million pairs: K alone would have 512 TB."""
        self.refuse(["solve", "--data.pairs", 4_000_000, "--modes", 2], "memory", r"\d+(\.\d+)? [TP]iB", "available",
                    "rank", code=MEMORY, ranks=(1, 4))


class Picture(ProgramTest):
    """scripts/plot.py, given what it cannot draw, or run by a Python that lacks its modules."""

    script = Path(__file__).resolve().parents[2] / "scripts" / "plot.py"

    def setUp(self) -> None:
        super().setUp()
        if importlib.util.find_spec("matplotlib") is None:
            self.skipTest("no matplotlib")
        self.result = self.folder / "result.h5"
        with h5py.File(self.result, "w") as file:
            file["spectrum/gamma"] = [3.0, 1.0]  # fewer than 2n
            file["timescales/tau"] = [1.0, 4.0]
            file["dynamics/time"] = np.linspace(0, 9, 10)
            file["dynamics/lambda"] = np.linspace(0, 1, 20).reshape(10, 2)
            file["dynamics/loss"] = np.linspace(2, 0, 10)
            file["embeddings/train"] = np.zeros((2, 7, 2))

    def plot(self, python: str | Path = sys.executable, script: Path = script) -> subprocess.CompletedProcess:
        return subprocess.run([python, script, self.result, "-o", self.folder / "result.svg"], capture_output=True,
                              text=True)

    def bare_python(self) -> Path:
        venv.create(self.folder / "venv", with_pip=False, symlinks=True)
        return self.folder / "venv" / "bin" / "python3"

    def test_part_of_the_spectrum(self) -> None:
        run = self.plot()
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("7 positive pairs", (self.folder / "result.svg").read_text())

    def test_not_finite(self) -> None:
        for name in ("spectrum/gamma", "timescales/tau", "dynamics/time", "dynamics/lambda", "dynamics/loss"):
            with self.subTest(name):
                with h5py.File(self.result, "r+") as file:
                    whole = file[name][()]
                    file[name][-1] = np.nan
                run = self.plot()
                self.assertEqual(run.returncode, 1)
                self.assertRegex(run.stderr, rf"\Aplot\.py: .*result\.h5: /{name} holds nan or inf.*\n\Z")
                with h5py.File(self.result, "r+") as file:
                    file[name][()] = whole

    def test_python_without_the_modules(self) -> None:
        if subprocess.run(["/usr/bin/python3", "-c", "import h5py, matplotlib"], capture_output=True).returncode != 0:
            self.skipTest("/usr/bin/python3 lacks h5py or matplotlib")
        run = self.plot(self.bare_python())
        self.assertEqual(run.returncode, 0, run.stderr)

    def test_no_python_with_the_modules(self) -> None:
        bare = self.bare_python()
        other = bare.with_name("python")
        script = self.folder / "plot.py"
        script.write_text(self.script.read_text().replace('"/usr/bin/python3"', f'"{other}"'))
        run = self.plot(bare, script)
        self.assertEqual(run.returncode, 1)
        self.assertRegex(run.stderr, rf"\Aplot\.py: {bare}: No module .*; {other}: .*No module .*\n\Z")


if __name__ == "__main__":
    unittest.main()
