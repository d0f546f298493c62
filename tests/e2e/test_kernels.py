"""Kernels made of kernels: formulas, normalisation; against the same built in NumPy."""
from __future__ import annotations

import unittest

import h5py
import numpy as np

import reference
from refusal import RefusalTest
from support import ProgramTest, make_pairs, read_result

PAIRS, MODES = 17, 4
METHODS = (("spectral", "double", 2), ("cholesky", "double", 3), ("krylov", "double", 1), ("krylov", "single", 2),
           ("krylov", "none", 4))
FEW = METHODS[1:4:2]
deep = reference.Network(depth=5).ntk
ntk = reference.Network().ntk


def normalised(kernel: reference.Kernel) -> reference.Kernel:
    def lengths(x: np.ndarray) -> np.ndarray:
        return np.sqrt([kernel(row[None], row[None])[0, 0] for row in x])

    return lambda x, y: kernel(x, y) / lengths(x)[:, None] / lengths(y)[None, :]


class Kernels(ProgramTest):
    def setUp(self) -> None:
        super().setUp()
        self.first, self.second, self.tests = make_pairs(PAIRS, 9, tests=6)
        self.path = self.write_pairs(self.first, self.second, self.tests)
        self.samples = np.concatenate([self.first, self.second])

    def check(self, options: dict[str, object], kernel: reference.Kernel, convention: str, methods=FEW) -> None:
        expected = reference.solve_matrix(kernel(self.samples, self.samples), kernel(self.tests, self.samples), 2, MODES)
        for method, storage, ranks in methods:
            with self.subTest(options=str(options), method=method, storage=storage, ranks=ranks):
                krylov = method == "krylov"
                file = self.solve_file({"data.source": "hdf5", "data.path": self.path, "modes": MODES,
                                        "solver.method": method, "kernel.storage": storage, **options,
                                        **({"solver.tolerance": 1e-11} if krylov else {})}, ranks)
                result, slack = read_result(file), 10 if krylov else 1
                self.assert_close(result.gamma, expected.gamma[:len(result.gamma)], 1e-11, "gamma")
                self.assert_close(result.kernel_train, expected.train @ expected.train.T, slack * 1e-9, "K_emb")
                self.assert_close(result.kernel_test, expected.test @ expected.test.T, slack * 1e-9, "K_emb of tests")
                with h5py.File(file) as opened:
                    self.assertIn(convention, opened.attrs["kernel_convention"])
                    configuration = opened.attrs["configuration"]
        (self.folder / "again.ini").write_text(configuration)
        again = self.solve({"config": self.folder / "again.ini"}, ranks)
        np.testing.assert_array_equal(again.train, result.train)

    def test_formula(self) -> None:
        self.check({"kernel.type": "0.7*ntk + 0.3*rbf*linear"},
                   lambda x, y: 0.7 * ntk(x, y) + 0.3 * reference.rbf()(x, y) * reference.linear(x, y),
                   "0.7 * [ntk: ", METHODS)

    def test_settings_of_a_factor(self) -> None:
        self.check({"kernel.type": "ntk(depth=5)+.1 * rbf( length-scale = 2 )*2", "kernel.depth": 1},
                   lambda x, y: deep(x, y) + 0.2 * reference.rbf(2.0)(x, y), "0.2 * [rbf: ")

    def test_one_kernel_with_settings(self) -> None:
        self.check({"kernel.type": "ntk(depth=5)"}, deep, "ntk: infinitely wide network on vectors (x.y / m): 5 x [dense")

    def test_normalised(self) -> None:
        self.check({"kernel.type": "ntk", "kernel.normalise": True}, normalised(ntk), "k(x, y) / sqrt(k(x, x) k(y, y))")

    def test_normalised_factors(self) -> None:
        self.check({"kernel.type": "linear(normalise=true) + 0.5*ntk"},
                   lambda x, y: normalised(reference.linear)(x, y) + 0.5 * ntk(x, y), "k(y, y)) of [linear")
        both = lambda x, y: reference.linear(x, y) + 0.5 * ntk(x, y)
        self.check({"kernel.type": "linear + 0.5*ntk", "kernel.normalise": True}, normalised(both), "of [1 * [linear")


class Centred(Kernels):
    """(I - J) K (I - J); for new samples k(x, y) - m(x) - m(y) + mean of m, with m(x) the mean of k(x, x_i)."""

    def check(self, options: dict[str, object], kernel: reference.Kernel, convention: str, methods=FEW) -> None:
        samples = self.samples

        def centred_kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
            mean_x, mean_y = kernel(x, samples).mean(axis=1), kernel(y, samples).mean(axis=1)
            return kernel(x, y) - mean_x[:, None] - mean_y[None, :] + kernel(samples, samples).mean()

        super().check({**options, "kernel.centre": True}, centred_kernel, "centred over the training samples", methods)

    def test_explicit_features(self) -> None:
        options = {"data.source": "hdf5", "data.path": self.path, "modes": 3, "kernel.type": "linear",
                   "kernel.centre": True}
        one, other = (self.solve({**options, "solver.method": method}, ranks)
                      for method, ranks in (("primal", 3), ("spectral", 2)))
        self.assert_close(one.gamma, other.gamma, 1e-12, "gamma")
        self.assert_close(one.kernel_train, other.kernel_train, 1e-9, "K_emb")
        self.assert_close(one.kernel_test, other.kernel_test, 1e-9, "K_emb of tests")
        file = self.solve_file({**options, "solver.method": "krylov", "solver.check": True}, 2)
        with h5py.File(file) as found:
            self.assertLess(found["diagnostics/check_gamma"][()], 1e-9)
            self.assert_close(found["diagnostics/mean_pair_kernel"][()], other.gamma.sum(), 1e-12, "sum of gamma")

    def test_dual_vectors_and_offset_are_the_definition(self) -> None:
        file = self.solve_file({"data.source": "hdf5", "data.path": self.path, "modes": 3, "kernel.type": "rbf",
                                "kernel.centre": True, "solver.method": "krylov"}, 3)
        with h5py.File(file) as found:
            dual, gamma = found["modes/dual"][()], found["spectrum/gamma"][()]
            f = reference.rbf()(self.tests, self.samples) @ dual / np.sqrt(gamma) + found["modes/offset"][()]
            self.assert_close(f, found["embeddings/test"][()], 1e-9, "f from dual vectors and offset")
            self.assertLess(np.max(np.abs(dual.sum(axis=0))), 1e-12 * np.max(np.abs(dual)) * len(dual))

    def test_constant_shifts_of_the_kernel_do_not_matter(self) -> None:
        options = {"data.source": "hdf5", "data.path": self.path, "modes": 3, "kernel.centre": True}
        plain, shifted = (self.solve({**options, "kernel.type": name}, 2) for name in ("ntk", "ntk + 3"))
        self.assert_close(shifted.gamma, plain.gamma, 1e-13, "gamma")
        self.assert_close(shifted.kernel_test, plain.kernel_test, 1e-10, "K_emb of tests")


class Refusals(RefusalTest):
    def test_formulas(self) -> None:
        for formula, *patterns in (
            ("ntk + gaus", "'gaus' at character 7", "linear, polynomial, rbf"),
            ("ntkk", "'ntkk' at character 1", "did you mean ntk"),
            ("ntk +", "ends where", "character 6"),
            ("* ntk", r"'\*' at character 1", "a kernel or a number"),
            ("ntk rbf", "'r' at character 5", r"expected \+"),
            ("ntk - rbf", "minus sign at character 5", "not positive semidefinite"),
            ("-0.5*ntk", "minus sign at character 1"),
            ("0.5", "kernel in it"),
            ("(ntk + rbf)*2", r"'\(' at character 1", "not grouped"),
            ("ntk(depth=5", r"no \)", "ntk", "character 1"),
            ("ntk(depht=5)", "'depht' at character 5", "did you mean depth"),
            ("ntk(depth=-5)", "depth", "'-5'", "character 5", "whole number"),
            ("rbf(depth=1,depth=2)", "depth a second time at character 13"),
            ("rbf()", "no name=value at character 5"),
            ("rbf(length-scale=)", "length-scale no value"),
            ("rbf(storage=none)", "'storage'", "no setting"),
        ):
            self.refuse(["solve", "--modes", 2, "--kernel.type", formula], "--kernel.type is '", *patterns, ranks=(1,))
        self.refuse(["solve", "--modes", 2, "--kernel.type", "ntk + gaus"], "'gaus'", ranks=(3,))

    def test_combinations(self) -> None:
        for options, patterns in (
            (["--kernel.type", "linear", "--kernel.normalise", "--solver.method", "primal"], ["primal", "explicit"]),
            (["--kernel.type", "2*linear", "--solver.method", "primal"], ["primal", "explicit"]),
            (["--kernel.type", "2*rbf", "--kernel.random-features", 8], ["--kernel.random-features 8", "formulas"]),
        ):
            self.refuse(["solve", "--modes", 2, *options], *patterns)


if __name__ == "__main__":
    unittest.main()
