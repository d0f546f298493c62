"""Bad input files and impossible requests: the right exit code, one clear message, nothing left behind."""
from __future__ import annotations

import os
import unittest
from pathlib import Path
from typing import Mapping

import h5py
import numpy as np

from refusal import RefusalTest
from support import DONE, INPUT, IO, MEMORY, NUMERICAL, launch, make_pairs, options_of
from test_images import write_cifar


class Arrays(RefusalTest):
    def setUp(self) -> None:
        super().setUp()
        self.first, self.second, self.tests = make_pairs(12, 5, tests=3)

    def refuse_file(self, path: Path, *patterns: str, options: Mapping[str, object] = {}, **more: object) -> None:
        options = {"data.source": "hdf5", "data.path": path, "modes": 2, "kernel.type": "linear", **options}
        self.refuse(["solve", *options_of(options)], *patterns, **more)

    def test_missing_file(self) -> None:
        self.refuse_file(self.folder / "absent.h5", r"absent\.h5", ranks=(1, 2, 4))

    def test_no_path(self) -> None:
        self.refuse(["solve", "--data.source", "hdf5", "--modes", 2], r"data\.path")

    def test_directory(self) -> None:
        self.refuse_file(self.here, "here")

    def test_empty_file(self) -> None:
        (self.folder / "empty.h5").touch()
        self.refuse_file(self.folder / "empty.h5", r"empty\.h5", ranks=(1, 2, 4))

    def test_truncated_file(self) -> None:
        path = self.write_pairs(self.first, self.second)
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
        self.refuse_file(path, r"pairs\.h5", ranks=(1, 2, 4))

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
                         ranks=(1, 2, 4))

    def test_views_of_different_shape(self) -> None:
        self.refuse_file(self.write_pairs(self.first, self.second[:, :-1]), "view_b")

    def test_tests_of_different_shape(self) -> None:
        self.refuse_file(self.write_pairs(self.first, self.second, self.tests[:, :-1]), r"\btest\b")

    def test_labels_of_different_length(self) -> None:
        self.refuse_file(self.write_pairs(self.first, self.second, labels=np.arange(7)), "labels", "7")

    def test_no_samples(self) -> None:
        self.refuse_file(self.write_pairs(self.first[:0], self.second[:0]), "view_a|pairs")

    def test_single_numbers(self) -> None:
        self.refuse_file(self.write_pairs(np.float64(1), np.float64(2)), "view_a")

    def test_text(self) -> None:
        words = np.array([["a", "b"]] * 12, dtype="S4")
        self.refuse_file(self.write_pairs(words, words), "view_a", ranks=(1, 2, 4))
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
                             "nan|inf|finite", rf"\b{row}\b", ranks=(1, 2, 4))
        tests = self.tests.copy()
        tests[2, 0] = -np.inf
        self.refuse_file(self.write_pairs(self.first, self.second, tests), r"\btest\b", r"\b2\b", ranks=(1, 2, 4))

    def test_kernel_overflows(self) -> None:
        self.refuse_file(self.write_pairs(self.first * 1e200, self.second * 1e200), "finite|overflow|inf|large",
                         code=(INPUT, NUMERICAL), ranks=(1, 2, 4))

    def test_more_samples_than_there_are(self) -> None:
        path = self.write_pairs(self.first, self.second, self.tests)
        self.refuse_file(path, r"\b13\b", r"\b12\b", options={"data.pairs": 13}, ranks=(1, 2, 4))
        self.refuse_file(path, r"\b4\b", r"\b3\b", options={"data.test": 4})

    def test_modes_out_of_range(self) -> None:
        path = self.write_pairs(self.first, self.second)
        for modes in (0, -1):
            self.refuse_file(path, "modes", str(modes), options={"modes": modes})
        self.refuse_file(path, "modes", r"\b25\b", r"\b24\b", options={"modes": 25}, ranks=(1, 2, 4))

    def refuse_file_modes(self, modes: int, positive: int, kernel: str) -> None:
        path = self.write_pairs(self.first, self.second)
        for method in ("spectral", "cholesky"):
            self.refuse_file(path, rf"\b{modes}\b", rf"\b{positive}\b", "positive", ranks=(1, 2, 4),
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
        self.refuse_images("absent", options={"data.path": self.folder / "absent"}, ranks=(1, 2, 4))

    def test_directory_without_batches(self) -> None:
        self.refuse_images("here", options={"data.path": self.here})

    def test_bad_sizes(self) -> None:
        path = self.batches / "data_batch_1.bin"
        whole = path.read_bytes()
        for content in (b"", whole[:-100], whole + b"x", whole[:100]):
            path.write_bytes(content)
            self.refuse_images(r"data_batch_1\.bin", "empty" if not content else str(len(content)), ranks=(1, 2, 4))

    def test_bad_label(self) -> None:
        self.labels[3] = 200
        write_cifar(self.batches / "data_batch_1.bin", self.images, self.labels)
        self.refuse_images(r"data_batch_1\.bin", "label", "200")

    def test_more_pairs_than_images(self) -> None:
        self.refuse_images(r"\b7\b", r"\b6\b", options={"data.pairs": 7}, ranks=(1, 2, 4))

    def test_more_tests_than_images(self) -> None:
        self.refuse_images(r"\b3\b", r"\b2\b", options={"data.test": 3})

    def test_no_test_batch(self) -> None:
        (self.batches / "test_batch.bin").unlink()
        self.refuse_images(r"test_batch\.bin", options={"data.test": 1})

    def test_crop_larger_than_the_image(self) -> None:
        self.refuse_images("crop", r"\b33\b", r"\b32\b", options={"views.crop": 33}, ranks=(1, 2, 4))
        self.refuse(["solve", "--data.pairs", 8, "--modes", 2, "--views.crop", 500], "crop", "500")


class Output(RefusalTest):
    words = ("solve", "--data.pairs", 8, "--kernel.type", "linear")

    def test_missing_directory(self) -> None:
        self.refuse(self.words, "absent", code=IO, output=self.out / "absent" / "result.h5", ranks=(1, 2, 4))

    def test_directory_that_is_a_file(self) -> None:
        (self.out / "file").write_text("x")
        self.refuse(self.words, "file", code=IO, output=self.out / "file" / "result.h5")

    @unittest.skipUnless(Path("/proc/self").is_dir(), "no /proc, which nobody can write to")
    def test_directory_nobody_can_write_to(self) -> None:
        self.refuse(self.words, "/proc", code=IO, output="/proc/result.h5", ranks=(1, 2, 4))

    @unittest.skipIf(os.geteuid() == 0, "root may write everywhere")
    def test_directory_without_permission(self) -> None:
        locked = self.out / "locked"
        locked.mkdir(mode=0o555)
        self.refuse(self.words, "locked", code=IO, output=locked / "result.h5")

    def test_existing_output(self) -> None:
        output = self.out / "result.h5"
        output.write_text("precious")
        self.refuse(self.words, r"result\.h5", "--force", ranks=(1, 2, 4))
        # Even with --force a run that fails leaves the old file.
        self.refuse([*self.words, "--force", "--modes", 999], "modes")
        run = launch([*self.words, "--force", "--modes", 2, "--output", output], 2)
        self.assertEqual(run.code, DONE, str(run))
        self.assertTrue(h5py.is_hdf5(output))
        self.assertEqual([path.name for path in self.out.iterdir()], ["result.h5"])

    def test_not_enough_memory(self) -> None:
        """Four million pairs: K alone would have 512 TB."""
        self.refuse(["solve", "--data.pairs", 4_000_000, "--modes", 2], "memory", r"\d+(\.\d+)? [TP]iB", "available",
                    "rank", code=MEMORY, ranks=(1, 2, 4))


if __name__ == "__main__":
    unittest.main()
