"""Pairs of two modalities, each with a kernel of its own, against dense NumPy and the singular values."""
from __future__ import annotations

import unittest
from pathlib import Path

import h5py
import numpy as np

import reference
from refusal import RefusalTest
from support import ProgramTest, make_pairs, read_result

PAIRS, MODES = 19, 4
METHODS = (("spectral", "double", 2), ("cholesky", "double", 3), ("krylov", "double", 1), ("krylov", "single", 2),
           ("krylov", "none", 4))
KERNELS = {"kernel.type": "ntk", "kernel.depth": 2, "kernel-b.type": "rbf"}


def root(k: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh((k + k.T) / 2)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T


class Multimodal(ProgramTest):
    def setUp(self) -> None:
        super().setUp()
        first, _, self.test_a = make_pairs(PAIRS, 12, tests=5)
        rng = np.random.default_rng(3)
        self.a = first
        mix = rng.standard_normal((12, 7))
        self.b = first @ mix / 4 + 0.2 * rng.standard_normal((PAIRS, 7))
        self.test_b = self.test_a[:3] @ mix / 4

    def write(self, name: str = "both.h5", **tests: np.ndarray) -> Path:
        path = self.folder / name
        with h5py.File(path, "w") as file:
            file["view_a"], file["view_b"], file["labels"] = self.a.reshape(PAIRS, 3, 2, 2), self.b, np.arange(PAIRS)
            for key, value in tests.items():
                file[key] = value
        return path

    def options(self, path: Path, **more: object) -> dict[str, object]:
        return {"data.source": "hdf5", "data.path": path, "data.multimodal": True, "modes": MODES,
                "solver.block-size": 8, **KERNELS, **{key.replace("__", "."): value for key, value in more.items()}}

    def expected(self, a: np.ndarray, b: np.ndarray, ta: np.ndarray, tb: np.ndarray) -> reference.Solution:
        first, second = reference.Network(depth=2).ntk, reference.rbf()
        k = np.zeros((2 * PAIRS, 2 * PAIRS))
        k[:PAIRS, :PAIRS], k[PAIRS:, PAIRS:] = first(a, a), second(b, b)
        k_test = np.zeros((len(ta) + len(tb), 2 * PAIRS))
        k_test[:len(ta), :PAIRS], k_test[len(ta):, PAIRS:] = first(ta, a), second(tb, b)
        return reference.solve_matrix(k, k_test, 2, MODES)

    def test_every_method(self) -> None:
        path = self.write(test_a=self.test_a.reshape(5, 3, 2, 2), test_b=self.test_b)
        expected = self.expected(self.a, self.b, self.test_a, self.test_b)
        k = expected.kernel
        sigma = np.linalg.svd(root(k[:PAIRS, :PAIRS]) @ root(k[PAIRS:, PAIRS:]), compute_uv=False) / (2 * PAIRS)
        for method, storage, ranks in METHODS:
            with self.subTest(method=method, storage=storage, ranks=ranks):
                krylov = method == "krylov"
                more = {"solver.tolerance": 1e-11} if krylov else {}
                file = self.solve_file({**self.options(path, solver__method=method, kernel__storage=storage), **more},
                                       ranks)
                slack = 10 if krylov else 1
                with h5py.File(file) as result:
                    gamma = result["spectrum/gamma"][()]
                    self.assert_close(gamma[:MODES], sigma[:MODES], 1e-11, "gamma")
                    if not krylov:
                        self.assert_close(gamma, np.concatenate([sigma, -sigma[::-1]]), 1e-11, "gamma, both signs")
                    train = result["embeddings/train"][()].reshape(-1, MODES)
                    tests = np.concatenate([result["embeddings/test_a"][()], result["embeddings/test_b"][()]])
                    self.assertEqual(result["test_b_sample"].shape, (3,))
                    np.testing.assert_array_equal(result["data/sample_shape_a"][()], [3, 2, 2])
                    np.testing.assert_array_equal(result["data/sample_shape_b"][()], [1, 1, 7])
                    np.testing.assert_array_equal(result["data/labels"][()], np.arange(PAIRS))
                    self.assertLess(abs(result["diagnostics/mean_pair_kernel"][()]), 1e-14)
                self.assert_close(train @ train.T, expected.train @ expected.train.T, slack * 1e-9, "K_emb")
                self.assert_close(tests @ train.T, expected.test @ expected.train.T, slack * 1e-9, "K_emb of tests")

    def test_centred_by_modality(self) -> None:
        path = self.write(test_a=self.test_a.reshape(5, 3, 2, 2), test_b=self.test_b)
        plain = self.expected(self.a, self.b, self.test_a, self.test_b)
        average = np.kron(np.eye(2), np.ones((PAIRS, PAIRS)) / PAIRS)
        away = np.eye(2 * PAIRS) - average
        first, second = reference.Network(depth=2).ntk, reference.rbf()
        k_test = np.zeros((8, 2 * PAIRS))
        k_test[:5, :PAIRS], k_test[5:, PAIRS:] = first(self.test_a, self.a), second(self.test_b, self.b)
        to_mean = np.concatenate([np.repeat([1 - np.arange(2)], 5, axis=0), np.repeat([np.arange(2)], 3, axis=0)])
        mean_rows = to_mean @ np.kron(np.eye(2), np.ones(PAIRS) / PAIRS) @ plain.kernel
        expected = reference.solve_matrix(away @ plain.kernel @ away, (k_test - mean_rows) @ away, 2, MODES)
        for method, storage, ranks in METHODS:
            file = self.solve_file({**self.options(path, solver__method=method, kernel__storage=storage),
                                    "kernel.centre": True}, ranks)
            with self.subTest(method=method, storage=storage), h5py.File(file) as result:
                self.assert_close(result["spectrum/gamma"][:MODES], expected.gamma[:MODES], 1e-11, "gamma")
                train = result["embeddings/train"][()].reshape(-1, MODES)
                tests = np.concatenate([result["embeddings/test_a"][()], result["embeddings/test_b"][()]])
                self.assert_close(train @ train.T, expected.train @ expected.train.T, 1e-7, "K_emb")
                self.assert_close(tests @ train.T, expected.test @ expected.train.T, 1e-7, "K_emb of tests")
                self.assertEqual(result["modes/offset_b"].shape, (MODES,))

    def test_configuration_repeats_the_run(self) -> None:
        path = self.write(test_b=self.test_b)
        first = self.solve_file({**self.options(path), "kernel.type": "rbf", "kernel-b.type": "ntk",
                                 "kernel-b.weight-variance": 3}, 2)
        with h5py.File(first) as result:
            configuration = result.attrs["configuration"]
            self.assertNotIn("test_a", result["embeddings"])
        for features in (12, 7):
            self.assertIn(f"length-scale = {np.sqrt(features):.6f}"[:20], configuration)
        (self.folder / "again.ini").write_text(configuration)
        again = read_result(self.solve_file({"config": self.folder / "again.ini"}, 2))
        np.testing.assert_array_equal(again.train, read_result(first).train)

    def test_standardisation_by_modality(self) -> None:
        path = self.write(test_a=self.test_a.reshape(5, 3, 2, 2))
        file = self.solve_file({**self.options(path), "data.standardize": "true"}, 3)
        blocks = self.a.reshape(PAIRS, 3, 4)
        mean, deviation = blocks.mean(axis=(0, 2)), blocks.std(axis=(0, 2))
        scaled = lambda x: ((x.reshape(-1, 3, 4) - mean[:, None]) / deviation[:, None]).reshape(len(x), 12)
        b = (self.b - self.b.mean()) / self.b.std()
        expected = self.expected(scaled(self.a), b, scaled(self.test_a), np.empty((0, 7)))
        with h5py.File(file) as result:
            self.assert_close(result["data/channel_mean"][()], [*mean, self.b.mean()], 1e-13, "means")
            self.assert_close(result["data/channel_deviation"][()], [*deviation, self.b.std()], 1e-13, "deviations")
            train = result["embeddings/train"][()].reshape(-1, MODES)
            tests = result["embeddings/test_a"][()]
        self.assert_close(train @ train.T, expected.train @ expected.train.T, 1e-8, "K_emb")
        self.assert_close(tests @ train.T, expected.test @ expected.train.T, 1e-8, "K_emb of tests")

    def test_fewer_tests(self) -> None:
        path = self.write(test_a=self.test_a.reshape(5, 3, 2, 2), test_b=self.test_b)
        with h5py.File(self.solve_file({**self.options(path), "data.test": 4, "data.pairs": 12})) as result:
            self.assertEqual(result["embeddings/test_a"].shape, (4, MODES))
            self.assertEqual(result["embeddings/test_b"].shape, (3, MODES))


class Refusals(RefusalTest):
    def test_shapes_and_options(self) -> None:
        a, b = np.random.default_rng(0).standard_normal((6, 4)), np.random.default_rng(1).standard_normal((6, 3))
        words = ["solve", "--modes", 2, "--data.source", "hdf5", "--data.path"]

        def written(name: str, **datasets: np.ndarray) -> list[object]:
            path = self.folder / name
            with h5py.File(path, "w") as file:
                for key, value in datasets.items():
                    file[key] = value
            return [*words, path]

        good = written("good.h5", view_a=a, view_b=b)
        self.refuse(good, "view_b", r"\(6, 3\)", "--data.multimodal")
        both = ["--data.multimodal", "true"]
        self.refuse([*written("rows.h5", view_a=a, view_b=b[:5]), *both], r"\(6, 4\)", r"\(5, 3\)", "as many rows")
        self.refuse([*written("test.h5", view_a=a, view_b=b, test_b=a), *both], "test_b", r"\(6, 4\)", r"\(6, 3\)")
        self.refuse([*written("old.h5", view_a=a, view_b=b, test=a), *both], "has test", "test_a and test_b")
        self.refuse([*written("c.h5", view_a=a, view_b=b, view_c=b), *both], "view_c")
        self.refuse([*written("few.h5", view_a=a, view_b=b, test_b=b), *both, "--data.test", 7], "--data.test", "has 6")
        self.refuse(["solve", "--data.multimodal", "true", "--modes", 2], "--data.multimodal", "hdf5")
        self.refuse([*good, *both, "--solver.method", "primal", "--kernel.type", "linear"], "primal", "explicit")
        self.refuse([*good, *both, "--views.count", 3], "--views.count is 3")
        self.refuse([*good, "--kernel-b.depth", 3], "--kernel-b.depth", "--data.multimodal")
        self.refuse([*good, *both, "--kernel-b.depth", "x"], "--kernel-b.depth is 'x'", "whole number")
        self.refuse([*good, *both, "--kernel.type", "rbf", "--kernel.random-features", 4], "--kernel.random-features 4")


if __name__ == "__main__":
    unittest.main()
