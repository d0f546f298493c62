"""Precomputed kernels: from every kind of file the same as from the samples, in NumPy or by the program itself."""
from __future__ import annotations

import unittest
from pathlib import Path

import h5py
import numpy as np

import reference
from refusal import RefusalTest
from support import NUMERICAL, ProgramTest, Result, launch, make_pairs, options_of, read_result

PAIRS, FEATURES, TESTS, MODES = 22, 12, 7, 4
METHODS = (("spectral", "double"), ("krylov", "double"), ("krylov", "single"), ("krylov", "none"))


def write_tiles(folder: Path, name: str, matrix: np.ndarray, tile: int, upper: bool = False) -> Path:
    folder.mkdir(exist_ok=True)
    for i in range(0, len(matrix), tile):
        for j in range(i if upper else 0, matrix.shape[1], tile):
            np.save(folder / f"{name}-{i // tile}-{j // tile}.npy", matrix[i:i + tile, j:j + tile])
    return folder


class StoredTest(ProgramTest):
    def setUp(self) -> None:
        super().setUp()
        self.first, self.second, self.tests = make_pairs(PAIRS, FEATURES, TESTS)
        self.kernel = reference.polynomial(2, 1.0)
        self.expected = reference.solve(self.kernel, self.first, self.second, self.tests, MODES)
        self.samples = np.concatenate([self.first, self.second])
        self.train = self.expected.kernel
        self.test = self.kernel(self.tests, self.samples)

    def solve_stored(self, path: Path | str, ranks: int = 1, **options: object) -> Result:
        words = {"kernel.type": "precomputed", "kernel.path": path, "modes": MODES, "solver.block-size": 8}
        return self.solve({**words, **{key.replace("__", ".").replace("_", "-"): value
                                       for key, value in options.items()}}, ranks)

    def compare(self, result: Result, tolerance: float = 1e-10, tests: bool = True) -> None:
        gamma = self.expected.gamma[:MODES]
        self.assert_relative(result.gamma[:MODES], gamma, tolerance, "gamma")
        train, test = self.expected.pair_blocks()
        self.assert_close(result.kernel_train, train, 100 * tolerance, "K_emb, training")
        if tests:
            self.assert_close(result.kernel_test, test, 100 * tolerance, "K_emb, test")
        else:
            self.assertIsNone(result.test)

    def write_hdf5(self, name: str = "kernel.h5", dtype: str = "f8", **how: object) -> Path:
        path = self.folder / name
        with h5py.File(path, "w") as file:
            file.create_dataset("kernel/train", data=self.train.astype(dtype), **how)
            file.create_dataset("kernel/test", data=self.test.astype(dtype), **how)
        return path


class Sources(StoredTest):
    def test_hdf5(self) -> None:
        path = self.write_hdf5()
        for (method, storage), ranks in (*zip(METHODS, (1, 1, 2, 4)), *zip(METHODS, (4, 4))):
            with self.subTest(method=method, storage=storage, ranks=ranks):
                self.compare(self.solve_stored(path, ranks, solver__method=method, kernel__storage=storage),
                             1e-10 if method == "spectral" else 1e-8)

    def test_hdf5_layouts(self) -> None:
        for number, how in enumerate(({"chunks": (10, 7)}, {"chunks": (16, 16), "compression": "gzip"},
                                      {"dtype": ">f8"}, {"chunks": (44, 44), "maxshape": (None, None)})):
            with self.subTest(how):
                path = self.folder / f"layout{number}.h5"
                dtype = how.pop("dtype", "f8")
                shape = dict(how)
                with h5py.File(path, "w", userblock_size=512) as file:
                    file.create_dataset("kernel/train", data=self.train.astype(dtype), **shape)
                    file.create_dataset("kernel/test", data=self.test.astype(dtype),
                                        **{key: value for key, value in shape.items() if key != "chunks"})
                self.compare(self.solve_stored(path, 2))

    def test_hdf5_user_block(self) -> None:
        path = self.folder / "block.h5"
        with h5py.File(path, "w", userblock_size=1024) as file:
            file["kernel/train"], file["kernel/test"] = self.train, self.test
        self.compare(self.solve_stored(path))

    def test_hdf5_other_names(self) -> None:
        path = self.folder / "named.h5"
        with h5py.File(path, "w") as file:
            file["a/b/k"], file["rest"] = self.train, self.test
        self.compare(self.solve_stored(f"{path}:/a/b/k"), tests=False)
        self.compare(self.solve_stored(f"{path}:/a/b/k", kernel__test_path=f"{path}:/rest"))

    def test_single_precision(self) -> None:
        """As good as the stored numbers; negative eigenvalues of 1e-7 are theirs."""
        path = self.write_hdf5(dtype="f4")
        for (method, storage), ranks in zip(METHODS, (2, 1, 2, 2)):
            with self.subTest(method=method, storage=storage, ranks=ranks):
                self.compare(self.solve_stored(path, ranks, solver__method=method, kernel__storage=storage), 1e-5)

    def test_smooth_kernel_in_single_precision(self) -> None:
        """Most eigenvalues are below the rounding of the file: half of them come out negative."""
        samples = self.samples[:, :2]
        k = reference.rbf(3.0)(samples, samples)
        gamma = np.linalg.eigvals(np.roll(k, PAIRS, axis=0) / (2 * PAIRS)).real
        path = self.folder / "smooth.npy"
        np.save(path, k.astype("f4"))
        for method, storage in METHODS:
            for check in (False, True):
                with self.subTest(method=method, storage=storage, check=check):
                    if check and storage == "none":
                        continue
                    result = self.solve_stored(path, 2, solver__method=method, kernel__storage=storage,
                                               **({"solver__check": True} if check else {}))
                    self.assert_relative(result.gamma[:MODES], np.sort(gamma)[::-1][:MODES], 1e-4, "gamma")

        output = self.solve_file({"kernel.type": "precomputed", "kernel.path": path, "modes": MODES})
        with h5py.File(output) as file:
            self.assertLess(file["diagnostics/negative_eigenvalue"][()], 0)
            self.assertLess(file["diagnostics/negative_mass"][()], 1e-6)
            self.assertGreater(file["diagnostics/negative_mass"][()], 0)

    def test_npy(self) -> None:
        for order, dtype, version in (("C", "f8", (1, 0)), ("F", "f8", (2, 0)), ("C", "f4", (3, 0)), ("F", "f4", (1, 0))):
            with self.subTest(order=order, dtype=dtype, version=version):
                for name, matrix in (("train", self.train), ("test", self.test)):
                    with open(self.folder / f"{name}.npy", "wb") as file:
                        np.lib.format.write_array(file, np.asarray(matrix, dtype, order=order), version)
                self.compare(self.solve_stored(self.folder / "train.npy", 2,
                                               kernel__test_path=self.folder / "test.npy"),
                             1e-10 if dtype == "f8" else 1e-5)

    def test_tiles(self) -> None:
        for tile in (8, 10, 44, 64):
            with self.subTest(tile):
                folder = write_tiles(self.folder / f"tiles{tile}", "tile", self.train, tile, upper=True)
                write_tiles(folder, "test", self.test, tile)
                self.compare(self.solve_stored(folder, 2))
        self.compare(self.solve_stored(self.folder / "tiles10", 1, solver__method="krylov"), 1e-8)

    def test_interleaved(self) -> None:
        order = np.arange(2 * PAIRS).reshape(2, PAIRS).T.ravel()
        path = self.folder / "interleaved.npy"
        np.save(path, self.train[np.ix_(order, order)])
        np.save(self.folder / "tests.npy", self.test[:, order])
        for ranks in (1, 2):
            self.compare(self.solve_stored(path, ranks, kernel__pairing="interleaved",
                                           kernel__test_path=self.folder / "tests.npy"))

    def test_first_pairs_and_tests(self) -> None:
        pairs, tests = 9, 3
        self.expected = reference.solve(self.kernel, self.first[:pairs], self.second[:pairs], self.tests[:tests], MODES)
        self.compare(self.solve_stored(self.write_hdf5(), 2, data__pairs=pairs, data__test=tests))
        damaged = self.train.copy()
        damaged[pairs + 1, 2] = np.nan  # not asked for
        path = self.folder / "first.npy"
        np.save(path, damaged)
        self.compare(self.solve_stored(path, 2, data__pairs=pairs), tests=False)

    def test_only_the_upper_triangle_counts(self) -> None:
        noise = 1e-7 * np.tril(np.random.default_rng(1).standard_normal(self.train.shape), -1)
        path = self.folder / "noisy.npy"
        np.save(path, self.train + noise)
        self.compare(self.solve_stored(path, 2), tests=False)

    def test_auto_is_spectral(self) -> None:
        output = self.solve_file({"kernel.type": "precomputed", "kernel.path": self.write_hdf5(), "modes": MODES}, 2)
        with h5py.File(output) as file:
            self.assertEqual(file.attrs["solver_method"], "spectral")
            self.assertIn("kernel.h5:/kernel/train", file.attrs["kernel_convention"])
            self.assertIn("negative_mass", file["diagnostics"])
            self.assertNotIn("data", file)


    def test_cholesky_if_asked_for(self) -> None:
        output = self.solve_file({"kernel.type": "precomputed", "kernel.path": self.write_hdf5(), "modes": MODES,
                                  "solver.method": "cholesky"}, 2)
        self.compare(read_result(output))
        with h5py.File(output) as file:
            self.assertLess(file["diagnostics/negative_mass"][()], 1e-12)


class Refused(RefusalTest, StoredTest):
    def refuse_kernel(self, path: Path | str, *patterns: str, options: dict[str, object] = {}, **more: object) -> None:
        words = {"kernel.type": "precomputed", "kernel.path": path, "modes": 2, **options}
        self.refuse(["solve", *options_of(words)], *patterns, **more)

    def refuse_array(self, matrix: np.ndarray, *patterns: str, **more: object) -> None:
        np.save(self.folder / "k.npy", matrix)
        self.refuse_kernel(self.folder / "k.npy", r"k\.npy", *patterns, **more)

    def test_options(self) -> None:
        path = self.write_hdf5()
        self.refuse(["solve", "--kernel.type", "precomputed"], r"kernel\.path")
        self.refuse(["solve", "--kernel.path", path], r"kernel\.path", "precomputed")
        for options, pattern in (({"data.source": "hdf5", "data.path": path}, "data.source"),
                                 ({"data.standardize": True}, "standardize"), ({"views.crop": 8}, "views"),
                                 ({"kernel.random-features": 64}, "random-features"),
                                 ({"solver.method": "primal"}, "primal"), ({"kernel.pairing": "mixed"}, "stacked")):
            self.refuse_kernel(path, pattern, options=options)

    def test_files(self) -> None:
        self.refuse_kernel(self.folder / "absent.h5", r"absent\.h5", "No such file", ranks=(1, 4))
        (self.folder / "notes.txt").write_text("dear diary")
        self.refuse_kernel(self.folder / "notes.txt", r"notes\.txt", "HDF5")
        path = self.write_hdf5()
        self.refuse_kernel(f"{path}:/kernel/tran", "no dataset /kernel/tran")
        self.refuse_kernel(f"{path}:/other/one", "no dataset /other/one")
        self.refuse_kernel(f"{path}:/kernel", "/kernel cannot be opened as a dataset")
        with h5py.File(self.folder / "types.h5", "w") as file:
            file["one"], file["whole"] = self.train[0], self.train.astype(int)
            file["half"] = self.train.astype("f2")
        self.refuse_kernel(f"{self.folder / 'types.h5'}:/one", r"\(44,\)", "two dimensions")
        self.refuse_kernel(f"{self.folder / 'types.h5'}:/whole", "integers", "float64")
        self.refuse_kernel(f"{self.folder / 'types.h5'}:/half", "2 bytes", "float32")
        self.refuse_kernel(path, "pairs asks for 23", "22", options={"data.pairs": 23})
        self.refuse_kernel(path, "test asks for 8", "7", options={"data.test": 8})
        self.refuse_kernel(path, "same file", output=path, options={"force": True})

    def test_npy(self) -> None:
        self.refuse_array(self.train[:, :-1], "44 x 43", "square")
        self.refuse_array(self.train[:-1, :-1], "43 x 43", "even")
        self.refuse_array(self.train[0], "1 dimension")
        self.refuse_array(np.empty((0, 0)), "empty")
        self.refuse_array(self.train.astype(">f8"), ">f8", "<f8")
        self.refuse_array(self.train.astype(complex), "<c16")
        self.refuse_array(np.zeros((4, 4), dtype=[("x", "f8")]), "structured")
        path = self.folder / "k.npy"
        np.save(path, self.train)
        whole = path.read_bytes()
        for size in (7, 40, 1000, len(whole) - 1):
            path.write_bytes(whole[:size])
            self.refuse_kernel(path, r"k\.npy", "truncated")
        path.write_bytes(b"\x93NUMPY\x09\x00" + whole[8:])
        self.refuse_kernel(path, r"format 9\.0")

    def test_numbers(self) -> None:
        damaged = self.train.copy()
        damaged[30, 17] = np.inf
        self.refuse_array(damaged, "inf in row 30, column 17", ranks=(1, 4))
        damaged = self.train.copy()
        damaged[30, 17] += 0.5
        self.refuse_array(damaged, "not symmetric", r"\(17, 30\) is", r"\(30, 17\) is", "symmetry-tolerance",
                          ranks=(1, 4))
        values, vectors = np.linalg.eigh(self.train)
        values[0] = -0.01 * values[-1]
        indefinite = (vectors * values) @ vectors.T
        for options in ({}, {"solver.method": "cholesky"}, {"solver.method": "krylov"}, {"solver.method": "krylov", "kernel.storage": "none"}):
            self.refuse_array(indefinite, "not positive semidefinite", "-", "negative-mass", code=NUMERICAL,
                              options=options)
        run = launch(["solve", "--kernel.type", "precomputed", "--kernel.path", self.folder / "k.npy", "--modes", 2,
                      "--kernel.negative-mass", 0.1, "--output", self.folder / "allowed.h5"])
        self.assertEqual(run.code, 0, str(run))

    def test_tests(self) -> None:
        np.save(self.folder / "test.npy", self.test[:, :-1])
        path = self.write_hdf5()
        self.refuse_kernel(path, r"test\.npy", "7 x 43", "44",
                           options={"kernel.test-path": self.folder / "test.npy"})
        damaged = self.test.copy()
        damaged[5, 40] = np.nan
        np.save(self.folder / "test.npy", damaged)
        self.refuse_kernel(path, r"test\.npy", "nan in row 5, column 40",
                           options={"kernel.test-path": self.folder / "test.npy"})
        np.save(self.folder / "k.npy", self.train)
        self.refuse_kernel(self.folder / "k.npy", "without a test kernel", options={"data.test": 2})

    def test_tiles(self) -> None:
        folder = write_tiles(self.folder / "tiles", "tile", self.train, 10, upper=True)
        (folder / "tile-1-3.npy").rename(self.folder / "away.npy")
        self.refuse_kernel(folder, r"tile-1-3\.npy: is missing", ranks=(1, 4))
        np.save(folder / "tile-1-3.npy", np.zeros((10, 9)))
        self.refuse_kernel(folder, r"tile-1-3\.npy", "10 x 9", "10 x 10")
        (folder / "tile-0-4.npy").rename(self.folder / "corner.npy")
        self.refuse_kernel(folder, r"tile-0-4\.npy: is missing")
        (self.folder / "empty").mkdir()
        self.refuse_kernel(self.folder / "empty", r"tile-0-0\.npy: is missing")


if __name__ == "__main__":
    unittest.main()
