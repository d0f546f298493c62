"""The result file as docs/file_format.md describes it, seen through h5py."""
from __future__ import annotations

import unittest

import h5py
import numpy as np

from support import ProgramTest, make_pairs

PAIRS, TESTS, MODES, POINTS = 12, 5, 3, 40
SHAPES = {
    "spectrum/gamma": (2 * PAIRS,),
    "modes/dual": (2 * PAIRS, MODES),
    "timescales/tau": (MODES,),
    "timescales/s0": (MODES,),
    "dynamics/time": (POINTS,),
    "dynamics/lambda": (POINTS, MODES),
    "dynamics/loss": (POINTS,),
    "embeddings/train": (2, PAIRS, MODES),
    "embeddings/test": (TESTS, MODES),
    "data/labels": (PAIRS,),
}
TEXT_ATTRIBUTES = ("schema_name", "schema_version", "program_version", "git_commit", "command_line", "configuration",
                   "process_grid", "solver_method", "eigensolver", "kernel_convention", "sign_convention",
                   "inputs_checksum", "library_mpi", "library_elpa", "library_scalapack", "library_hdf5", "library_blas")
NUMBER_ATTRIBUTES = ("seed", "ranks", "block_size", "threads_per_rank")


class Format(ProgramTest):
    def setUp(self) -> None:
        super().setUp()
        first, second, test = make_pairs(PAIRS, 8, TESTS)
        path = self.write_pairs(first, second, test, labels=np.arange(PAIRS))
        self.output = self.solve_file({"data.source": "hdf5", "data.path": path, "kernel.type": "rbf",
                                       "modes": MODES, "dynamics.points": POINTS, "seed": 11,
                                       "solver.block-size": 8}, ranks=2)
        self.file = h5py.File(self.output, "r")
        self.addCleanup(self.file.close)

    def datasets(self) -> dict[str, h5py.Dataset]:
        found: dict[str, h5py.Dataset] = {}
        self.file.visititems(lambda name, item: found.update({name: item}) if isinstance(item, h5py.Dataset) else None)
        return found

    def test_datasets(self) -> None:
        for name, shape in SHAPES.items():
            with self.subTest(name):
                self.assertIn(name, self.file)
                self.assertEqual(self.file[name].shape, shape)
                kind = np.dtype("<i8") if name.startswith("data/") else np.dtype("<f8")
                self.assertEqual(self.file[name].dtype, kind)

    def test_units_and_descriptions(self) -> None:
        for name, dataset in self.datasets().items():
            with self.subTest(name):
                for key in ("units", "description"):
                    self.assertIn(key, dataset.attrs)
                    self.assertIsInstance(dataset.attrs[key], str)
                self.assertTrue(dataset.attrs["description"].strip())

    def test_dimension_scales(self) -> None:
        for name, dataset in self.datasets().items():
            if h5py.h5ds.is_scale(dataset.id) or dataset.shape == () or name.startswith("data/sample_shape"):
                continue
            for axis, dimension in enumerate(dataset.dims):
                with self.subTest(name, axis=axis):
                    self.assertEqual(len(dimension), 1, "one scale attached")
                    scale = dimension[0]
                    self.assertEqual(scale.shape, (dataset.shape[axis],))
                    # What xarray goes by: the scale's name is the dimension's.
                    self.assertEqual(scale.name.rsplit("/", 1)[-1], scale.attrs["NAME"].decode()
                                     if isinstance(scale.attrs["NAME"], bytes) else scale.attrs["NAME"])
        time = self.file["dynamics/lambda"].dims[0][0]
        np.testing.assert_array_equal(time[()], self.file["dynamics/time"][()])

    def test_diagnostics(self) -> None:
        group = self.file["diagnostics"]
        self.assertGreaterEqual(len(group) + len(group.attrs), 4, "residuals, positive modes, rank, trace check")
        self.assertEqual(int(group["positive_modes"][()]), int(np.sum(self.file["spectrum/gamma"][()] > 0)))

    def test_root_attributes(self) -> None:
        attributes = dict(self.file.attrs)
        for name in TEXT_ATTRIBUTES:
            with self.subTest(name):
                self.assertIn(name, attributes)
                self.assertIsInstance(attributes[name], str)
                self.assertTrue(attributes[name].strip())
        for name in NUMBER_ATTRIBUTES:
            with self.subTest(name):
                self.assertIn(name, attributes)
                self.assertTrue(np.issubdtype(np.asarray(attributes[name]).dtype, np.integer))
        self.assertEqual(attributes["seed"], 11)
        self.assertEqual(attributes["ranks"], 2)
        self.assertEqual(attributes["block_size"], 8)
        self.assertIn(attributes["process_grid"], ("1x2", "2x1"))
        self.assertIn("--kernel.type rbf", attributes["command_line"])

    def test_stored_configuration_repeats_the_run(self) -> None:
        configuration = self.folder / "again.ini"
        configuration.write_text(self.file.attrs["configuration"])
        again = self.solve_file({"config": configuration}, ranks=2)
        with h5py.File(again, "r") as file:
            for name in ("spectrum/gamma", "embeddings/train", "dynamics/loss"):
                np.testing.assert_array_equal(file[name][()], self.file[name][()])

    def test_nothing_but_the_result_is_left(self) -> None:
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), ["pairs.h5", self.output.name])


if __name__ == "__main__":
    unittest.main()
