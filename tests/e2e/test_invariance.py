"""What must not depend on how the work is shared out, and the symmetries of the theory (on the whole program)."""
from __future__ import annotations

import unittest

import numpy as np

import reference
from support import ProgramTest, Result, make_pairs

MODES = 5


class Layout(ProgramTest):
    """Rank counts, block sizes and process grids leave gamma and K_emb unchanged."""

    def setUp(self) -> None:
        super().setUp()
        first, second, test = make_pairs(60, 40, tests=9)
        self.path = self.write_pairs(first, second, test)

    def run_layout(self, method: str, ranks: int, **options: object) -> Result:
        return self.solve_pairs(self.path, {"kernel.type": "ntk", "modes": MODES, "solver.method": method,
                                            **{key.replace("_", "."): value for key, value in options.items()}}, ranks)

    def compare(self, actual: Result, expected: Result) -> None:
        self.assert_relative(actual.gamma[:MODES], expected.gamma[:MODES], 1e-11, "leading gamma")
        self.assert_close(actual.gamma, expected.gamma, 1e-11, "all gamma")
        self.assert_close(actual.kernel_train, expected.kernel_train, 1e-11, "K_emb, training")
        self.assert_close(actual.kernel_test, expected.kernel_test, 1e-11, "K_emb, test")
        # Signs are fixed by a convention, so even the vectors agree.
        self.assert_close(actual.train, expected.train, 1e-9, "embeddings with their signs")
        self.assert_close(actual.dual, expected.dual, 1e-8, "dual vectors with their signs")

    def sweep(self, method: str, layouts: list[tuple[int, int]]) -> None:
        expected = self.run_layout(method, 1, **{"solver_block-size": 32})
        for ranks, block in layouts:
            with self.subTest(method=method, ranks=ranks, block=block):
                self.compare(self.run_layout(method, ranks, **{"solver_block-size": block}), expected)

    def test_spectral(self) -> None:
        self.sweep("spectral", [(1, 64), (2, 16), (2, 64), (3, 32), (4, 16), (4, 64), (6, 32)])

    def test_cholesky(self) -> None:
        self.sweep("cholesky", [(1, 64), (2, 32), (3, 16), (4, 64), (6, 16)])

    def test_grids(self) -> None:
        expected = self.run_layout("spectral", 1)
        for grid in ("1x4", "2x2", "4x1"):
            with self.subTest(grid=grid):
                self.compare(self.run_layout("spectral", 4, solver_grid=grid), expected)

    def test_both_methods_agree(self) -> None:
        spectral, cholesky = self.run_layout("spectral", 2), self.run_layout("cholesky", 2)
        self.assert_relative(cholesky.gamma[:MODES], spectral.gamma[:MODES], 1e-10, "gamma")
        self.assert_close(cholesky.kernel_train, spectral.kernel_train, 1e-9, "K_emb")

    def test_same_run_gives_same_bits(self) -> None:
        one, two = self.run_layout("spectral", 2), self.run_layout("spectral", 2)
        np.testing.assert_array_equal(one.gamma, two.gamma)
        np.testing.assert_array_equal(one.train, two.train)

    def test_synthetic_images_do_not_depend_on_ranks(self) -> None:
        options = {"data.pairs": 40, "data.test": 6, "views.crop": 8, "views.flip": True, "views.noise": 0.1,
                   "kernel.type": "rbf", "modes": 3, "seed": 7, "solver.block-size": 16}
        expected = self.solve(options)
        for ranks in (2, 3):
            actual = self.solve(options, ranks)
            self.assert_relative(actual.gamma[:3], expected.gamma[:3], 1e-11, "gamma")
            self.assert_close(actual.kernel_test, expected.kernel_test, 1e-11, "K_emb, test")
        other = self.solve({**options, "seed": 8})
        self.assertGreater(np.max(np.abs(other.gamma / expected.gamma - 1)[:3]), 1e-6, "another seed, other images")


class Symmetry(ProgramTest):
    def setUp(self) -> None:
        super().setUp()
        self.first, self.second, self.tests = make_pairs(30, 12, tests=5)

    def run_views(self, first: np.ndarray, second: np.ndarray, kernel: str, method: str = "spectral",
                  alpha: float = 1e-6) -> Result:
        path = self.write_pairs(first, second, self.tests)
        return self.solve_pairs(path, {"kernel.type": kernel, "modes": MODES, "solver.method": method,
                                       "solver.block-size": 16, "dynamics.alpha": alpha}, ranks=2)

    def test_permuting_pairs(self) -> None:
        order = np.random.default_rng(1).permutation(30)
        both = np.concatenate([order, order + 30])
        for method in ("spectral", "cholesky", "krylov"):
            slack = 100 if method == "krylov" else 1  # its tolerance instead of rounding
            before = self.run_views(self.first, self.second, "ntk", method)
            after = self.run_views(self.first[order], self.second[order], "ntk", method)
            self.assert_relative(after.gamma[:MODES], before.gamma[:MODES], 1e-11, "gamma")
            self.assert_close(after.kernel_train, before.kernel_train[np.ix_(both, both)], 1e-11 * slack, "K_emb")
            self.assert_close(after.kernel_test, before.kernel_test, 1e-11 * slack, "K_emb, test")

    def test_swapping_views(self) -> None:
        swapped = np.random.default_rng(2).random(30) < 0.5
        where = np.concatenate([np.arange(30) + 30 * swapped, np.arange(30) + 30 * ~swapped])
        first = np.where(swapped[:, None], self.second, self.first)
        second = np.where(swapped[:, None], self.first, self.second)
        before = self.run_views(self.first, self.second, "nngp")
        after = self.run_views(first, second, "nngp")
        self.assert_relative(after.gamma[:MODES], before.gamma[:MODES], 1e-11, "gamma")
        self.assert_close(after.kernel_train, before.kernel_train[np.ix_(where, where)], 1e-11, "K_emb")

    def test_scaling_the_kernel(self) -> None:
        """Data times f is K times c = f^2: gamma -> c gamma. With alpha / f too, lambda_j(0) stays and tau -> tau / c."""
        before = self.run_views(self.first, self.second, "linear")
        tests = self.tests
        for factor in (3.0, 1e-30, 1e30, 1e-75, 1e75):
            with self.subTest(factor=factor):
                self.tests = tests * factor
                after = self.run_views(self.first * factor, self.second * factor, "linear", alpha=1e-6 / factor)
                self.assert_relative(after.gamma[:MODES], before.gamma[:MODES] * factor**2, 1e-11, "gamma")
                self.assert_relative(after.tau, before.tau / factor**2, 1e-10, "tau")
                self.assert_close(after.kernel_train, before.kernel_train, 1e-11, "K_emb, unchanged")
                self.assert_close(after.kernel_test, before.kernel_test, 1e-11, "K_emb of tests, unchanged")

    def test_equal_views(self) -> None:
        for kernel, function in (("rbf", reference.rbf()), ("ntk", reference.Network().ntk)):
            for method in ("spectral", "cholesky"):
                with self.subTest(kernel=kernel, method=method):
                    result = self.run_views(self.first, self.first, kernel, method)
                    samples = np.concatenate([self.first, self.first])
                    values = np.linalg.eigvalsh(function(samples, samples))[::-1] / 60
                    self.assert_relative(result.gamma[:MODES], values[:MODES], 1e-10, "gamma = eig(K)/N")
                    self.assert_close(result.gamma, values, 1e-11, "all of it")

    def test_mean_positive_pair_kernel(self) -> None:
        for kernel, function in (("linear", reference.linear), ("laplace", reference.laplace())):
            result = self.run_views(self.first, self.second, kernel)
            expected = np.mean(np.diag(function(self.first, self.second)))
            self.assert_close(np.sum(result.gamma), expected, 1e-11, "sum of gamma")

    def test_inertia(self) -> None:
        result = self.run_views(self.first, self.second, "laplace")
        self.assertEqual((np.sum(result.gamma > 0), np.sum(result.gamma < 0)), (30, 30))


class Degenerate(ProgramTest):
    """Inputs for which fast eigensolvers silently return wrong vectors."""

    def check(self, first: np.ndarray, second: np.ndarray, modes: int) -> None:
        path = self.write_pairs(first, second, first[:3])
        expected = reference.solve(reference.linear, first, second, first[:3], modes)
        for method, ranks in (("spectral", 1), ("spectral", 2), ("cholesky", 2), ("krylov", 2)):
            with self.subTest(method=method, ranks=ranks):
                result = self.solve_pairs(path, {"kernel.type": "linear", "modes": modes, "solver.method": method}, ranks)
                self.assert_relative(result.gamma[:modes], expected.gamma[:modes], 1e-10, "gamma")
                self.assert_close(result.gamma, expected.gamma[:len(result.gamma)], 1e-10, "all gamma")
                train, test = expected.pair_blocks()
                self.assert_close(result.kernel_train, train, 1e-9, "K_emb")
                self.assert_close(result.kernel_test, test, 1e-9, "K_emb, test")

    def test_constant(self) -> None:
        same = np.full((300, 6), 0.7)
        self.check(same, same, 1)

    def test_block_constant(self) -> None:
        blocks = np.repeat(np.diag([3.0, 2.0, 1.0]), 100, axis=0)
        self.check(blocks, blocks, 3)

    def test_few_distinct_samples(self) -> None:
        rng = np.random.default_rng(3)
        kinds = rng.standard_normal((4, 20)) * [[4], [3], [2], [1]]
        drawn = rng.integers(0, 4, 300)
        self.check(kinds[drawn], kinds[drawn], 4)


if __name__ == "__main__":
    unittest.main()
