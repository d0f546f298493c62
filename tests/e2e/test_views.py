"""More than two views of every sample: from files and from images, by every method, against dense NumPy."""
from __future__ import annotations

import unittest

import h5py
import numpy as np

import reference
from refusal import RefusalTest
from support import ProgramTest, Result, make_pairs, read_result

MODES = 4
METHODS = (("spectral", "double", 2), ("cholesky", "double", 3), ("krylov", "double", 1), ("krylov", "single", 2),
           ("krylov", "none", 4))


def make_views(samples: int, features: int, views: int, tests: int = 0) -> tuple[list[np.ndarray], np.ndarray]:
    first, _, test = make_pairs(samples, features, tests)
    rng = np.random.default_rng(views)
    return [first + 0.2 * rng.standard_normal(first.shape) for _ in range(views)], test


class Views(ProgramTest):
    def write_views(self, views: list[np.ndarray], test: np.ndarray) -> str:
        more = {f"view_{chr(ord('a') + v)}": view for v, view in enumerate(views) if v > 1}
        return self.write_pairs(views[0], views[1], test, name=f"views{len(views)}.h5", **more)

    def compare(self, result: Result, expected: reference.Solution, views: int, slack: float) -> None:
        self.assert_close(result.gamma, expected.gamma[:len(result.gamma)], 1e-11, "gamma")
        self.assert_close(result.kernel_train, expected.train @ expected.train.T, slack * 1e-9, "K_emb, training")
        self.assert_close(result.kernel_test, expected.test @ expected.test.T, slack * 1e-9, "K_emb, test")
        samples = len(expected.kernel)
        b = reference.pairing_matrix(samples // views, views) / (samples * (views - 1))
        ka = expected.kernel @ result.dual  # a itself is free to differ by vectors that K makes zero
        self.assert_close(expected.kernel @ b @ ka, ka * result.gamma[:MODES], slack * 1e-9, "K T a = gamma K a")
        self.assert_close(result.train.T @ b @ result.train, np.eye(MODES), slack * 1e-10, "C = I")

    def test_files_by_every_method(self) -> None:
        for views in (3, 4):
            data, test = make_views(17, 9, views, tests=6)
            path = self.write_views(data, test)
            stacked = np.concatenate(data)
            for name, kernel in (("linear", reference.linear), ("ntk", reference.Network().ntk)):
                expected = reference.solve_matrix(kernel(stacked, stacked), kernel(test, stacked), views, MODES)
                methods = METHODS + ((("primal", "double", 2),) if name == "linear" else ())
                for method, storage, ranks in methods:
                    with self.subTest(views=views, kernel=name, method=method, storage=storage):
                        options = {"kernel.type": name, "solver.method": method, "kernel.storage": storage,
                                   "modes": MODES, "solver.block-size": 8}
                        krylov = {"solver.tolerance": 1e-11} if method == "krylov" else {}
                        result = self.solve_pairs(path, {**options, **krylov}, ranks)
                        self.compare(result, expected, views, slack=10 if krylov else 1)

    def test_count_takes_the_first_views(self) -> None:
        data, test = make_views(15, 8, 4, tests=3)
        options = {"kernel.type": "rbf", "modes": 3}
        three = self.solve_pairs(self.write_views(data, test), {**options, "views.count": 3})
        alone = self.solve_pairs(self.write_views(data[:3], test), options)
        np.testing.assert_array_equal(three.gamma, alone.gamma)

    def test_layout_of_the_file(self) -> None:
        data, test = make_views(13, 8, 3, tests=3)
        path = self.solve_file({"data.source": "hdf5", "data.path": self.write_views(data, test), "kernel.type": "rbf",
                                "modes": 3}, 2)
        with h5py.File(path) as file:
            self.assertEqual(file["embeddings/train"].shape, (3, 13, 3))
            self.assertEqual(file["modes/dual"].shape, (39, 3))
            np.testing.assert_array_equal(file["view"][()], [0, 1, 2])
            np.testing.assert_array_equal(file["sample"][()], np.arange(39))
            self.assertEqual(len(file["spectrum/gamma"]), 39)
            np.testing.assert_array_equal(file["spectrum/sign_count"][()], [26, 0, 13])
            (self.folder / "again.ini").write_text(file.attrs["configuration"])
            self.assertIn("count = 3", file.attrs["configuration"])
        again = self.solve({"config": self.folder / "again.ini"}, 2)
        np.testing.assert_array_equal(again.train, read_result(path).train)

    def test_images_on_any_number_of_ranks(self) -> None:
        options = {"data.pairs": 40, "views.count": 3, "views.crop": 12, "modes": 5, "data.test": 4,
                   "kernel.type": "rbf"}
        one = self.solve({**options, "solver.method": "spectral"})
        for method, storage, ranks in METHODS:
            with self.subTest(method=method, storage=storage, ranks=ranks):
                other = self.solve({**options, "solver.method": method, "kernel.storage": storage}, ranks)
                self.assert_close(other.gamma, one.gamma[:len(other.gamma)], 1e-10, "gamma")
                self.assert_close(other.kernel_train, one.kernel_train, 1e-7, "K_emb")
                self.assert_close(other.kernel_test, one.kernel_test, 1e-7, "K_emb of tests")

    def test_warm_start_and_check(self) -> None:
        options = {"data.pairs": 300, "views.count": 3, "views.crop": 8, "modes": 4, "solver.method": "krylov"}
        cold = self.solve(options)
        warm = self.solve_file({**options, "solver.warm-start": 100, "solver.check": True}, 2)
        self.assert_relative(read_result(warm).gamma, cold.gamma, 1e-10, "gamma")


class Refusals(RefusalTest):
    def test_counts_and_shapes(self) -> None:
        data, _ = make_views(6, 5, 3)
        path = self.write_pairs(data[0], data[1], view_c=data[2][:, :4])
        words = ["solve", "--data.source", "hdf5", "--data.path", path, "--modes", 2]
        self.refuse(words, "view_c", r"\(6, 5\)", r"\(6, 4\)")
        self.refuse([*words, "--views.count", 4], "--views.count asks for 4", "view_a to view_c")
        self.refuse([*words, "--views.count", 1], "--views.count", "2 to")
        few = ["solve", "--data.pairs", 5, "--views.count", 3, "--modes", 6]
        self.refuse(few, "--modes is 6", "5 pairs", "3n = 15")


if __name__ == "__main__":
    unittest.main()
