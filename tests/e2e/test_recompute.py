"""What the program writes, recomputed from the input with the paper's formulas, for every kernel, method and storage."""
from __future__ import annotations

import numpy as np

import reference
from support import ProgramTest, Result, make_pairs, same_signs

ALPHA = 1e-5
MODES = 4


class Recompute(ProgramTest):
    def compare(self, result: Result, expected: reference.Solution, alpha: float = ALPHA, slack: float = 1) -> None:
        """`slack` widens what an iterative method's tolerance limits instead of rounding."""
        modes, samples = expected.modes, len(expected.kernel)
        gamma = expected.gamma[:modes]
        self.assert_relative(result.gamma[:modes], gamma, 1e-10, "leading gamma")
        self.assert_close(result.gamma, expected.gamma[:len(result.gamma)], 1e-11, "all gamma")
        self.assertTrue(np.all(np.diff(result.gamma) <= 0), "gamma descends")

        scales = reference.initial_scales(alpha, modes)
        self.assert_relative(result.s0, scales, 1e-14, "s_j(0)")
        self.assert_relative(result.tau, reference.timescales(gamma, scales), 1e-9, "tau")
        self.assertTrue(np.all(np.diff(result.time) > 0), "time ascends")
        curves = reference.eigenvalue_curves(gamma, scales, result.time)
        self.assert_close(result.curves, curves, 1e-8, "lambda_j(t)", scale=1)
        self.assert_close(result.loss, reference.loss(curves), 1e-8, "L(t)", scale=1)

        # Where K is singular a_j = K^(+1/2) b_j is one choice of many; what it stands for is not: T a = gamma a.
        half = samples // 2
        other_view = np.roll(np.arange(samples), half)
        self.assert_close(expected.kernel[other_view] @ result.dual / samples, result.dual * gamma, slack * 1e-9,
                          "(1/N) P K a_j = gamma_j a_j")
        normal = result.dual.T @ expected.kernel @ result.dual
        self.assert_close(normal, np.eye(modes), slack * 1e-9, "a_i^T K a_j")
        from_dual = expected.kernel @ result.dual / np.sqrt(gamma)
        self.assert_close(from_dual, result.train, slack * 1e-9, "f_j = gamma_j^(-1/2) K a_j, with one sign for both")
        self.assert_close(same_signs(result.train, expected.train), expected.train, slack * 1e-8, "training embeddings")
        self.assert_close(result.train.T @ result.train[other_view] / samples, np.eye(modes), slack * 1e-10, "C = I")
        train, test = expected.pair_blocks()
        self.assert_close(result.kernel_train, train, slack * 1e-9, "K_emb, training")
        if len(expected.test):
            self.assert_close(result.kernel_test, test, slack * 1e-9, "K_emb, test")
            signs = np.sign(np.sum(result.train * expected.train, axis=0))
            self.assert_close(result.test * signs, expected.test, slack * 1e-8, "test embeddings")

    def check(self, options: dict[str, object], kernel: reference.Kernel, features: int = 24, pairs: int = 21,
              ranks: tuple[int, int] = (2, 3)) -> None:
        first, second, test = make_pairs(pairs, features, tests=7, seed=features)
        path = self.write_pairs(first, second, test)
        expected = reference.solve(kernel, first, second, test, MODES)
        methods = [("spectral", "double", ranks[0]), ("cholesky", "double", ranks[1]), ("krylov", "double", ranks[0]),
                   ("krylov", "single", ranks[0]), ("krylov", "none", ranks[1])]
        if options["kernel.type"] == "linear" and features <= 2 * pairs:
            methods += [("primal", "double", count) for count in ranks]
        for method, storage, count in methods:
            with self.subTest(method=method, storage=storage, ranks=count):
                krylov = method == "krylov"
                result = self.solve_pairs(path, {"solver.method": method, "kernel.storage": storage,
                                                 "solver.block-size": 8, "modes": MODES, "dynamics.alpha": ALPHA,
                                                 **options, **({"solver.tolerance": 1e-11} if krylov else {})}, count)
                self.assertEqual(len(result.gamma), MODES if krylov else 2 * pairs)
                self.compare(result, expected, slack=10 if krylov else 1)

    def test_linear(self) -> None:
        self.check({"kernel.type": "linear"}, reference.linear, ranks=(1, 2))

    def test_linear_more_features_than_samples(self) -> None:
        self.check({"kernel.type": "linear"}, reference.linear, features=90, ranks=(3, 1))

    def test_polynomial(self) -> None:
        self.check({"kernel.type": "polynomial", "kernel.degree": 3, "kernel.offset": 0.5},
                   reference.polynomial(3, 0.5), ranks=(4, 1))

    def test_rbf(self) -> None:
        self.check({"kernel.type": "rbf"}, reference.rbf())

    def test_rbf_length(self) -> None:
        self.check({"kernel.type": "rbf", "kernel.length-scale": 2.5}, reference.rbf(2.5), ranks=(1, 4))

    def test_laplace(self) -> None:
        self.check({"kernel.type": "laplace"}, reference.laplace(), ranks=(2, 1))

    def test_laplace_length(self) -> None:
        self.check({"kernel.type": "laplace", "kernel.length-scale": 3}, reference.laplace(3.0), ranks=(3, 2))

    def test_nngp(self) -> None:
        self.check({"kernel.type": "nngp"}, reference.Network().nngp)

    def test_nngp_with_biases(self) -> None:
        self.check({"kernel.type": "nngp", "kernel.depth": 2, "kernel.weight-variance": 1.5,
                    "kernel.bias-variance": 0.2},
                   reference.Network(depth=2, weight=1.5, bias=0.2).nngp, ranks=(4, 1))

    def test_ntk(self) -> None:
        self.check({"kernel.type": "ntk", "kernel.depth": 3}, reference.Network().ntk)

    def test_ntk_shallow(self) -> None:
        self.check({"kernel.type": "ntk", "kernel.depth": 1}, reference.Network(depth=1).ntk, ranks=(1, 2))

    def test_ntk_with_biases_and_own_readout(self) -> None:
        self.check({"kernel.type": "ntk", "kernel.depth": 2, "kernel.weight-variance": 2.25,
                    "kernel.bias-variance": 0.25, "kernel.readout-weight-variance": 1,
                    "kernel.readout-bias-variance": 0.01},
                   reference.Network(depth=2, weight=2.25, bias=0.25, readout_weight=1.0, readout_bias=0.01).ntk,
                   ranks=(2, 4))

    def test_leaky_relu(self) -> None:
        self.check({"kernel.type": "ntk", "kernel.depth": 2, "kernel.activation": "leaky-relu", "kernel.slope": 0.2},
                   reference.Network(depth=2, slope=0.2).ntk, ranks=(1, 2))

    def test_absolute_value(self) -> None:
        self.check({"kernel.type": "nngp", "kernel.depth": 2, "kernel.activation": "abs", "kernel.weight-variance": 1},
                   reference.Network(depth=2, weight=1.0, slope=-1.0).nngp, ranks=(2, 1))

    def test_fewer_samples_than_ranks(self) -> None:
        first, second, test = make_pairs(1, 5, tests=2)
        path = self.write_pairs(first, second, test)
        expected = reference.solve(reference.linear, first, second, test, 1)
        for method, storage in (("spectral", "double"), ("cholesky", "double"), ("krylov", "double"),
                                ("krylov", "single"), ("krylov", "none")):
            result = self.solve_pairs(path, {"kernel.type": "linear", "solver.method": method, "modes": 1,
                                             "kernel.storage": storage, "dynamics.alpha": ALPHA}, ranks=4)
            self.compare(result, expected)

    def test_time_grid(self) -> None:
        first, second, _ = make_pairs(12, 10)
        path = self.write_pairs(first, second)
        result = self.solve_pairs(path, {"kernel.type": "rbf", "modes": 3, "dynamics.points": 37,
                                         "dynamics.t-max": 55.5, "dynamics.alpha": 1e-3})
        self.assertEqual(len(result.time), 37)
        self.assertEqual(result.time[-1], 55.5)
        self.assertIsNone(result.test)
        self.compare(result, reference.solve(reference.rbf(), first, second, np.empty((0, 10)), 3), alpha=1e-3)

    def test_default_time_grid_shows_every_step(self) -> None:
        first, second, _ = make_pairs(12, 10)
        result = self.solve_pairs(self.write_pairs(first, second), {"kernel.type": "linear", "modes": 5})
        self.assertGreater(result.time[-1], result.tau.max())
        self.assertGreater(result.curves[-1].min(), 0.9)
        self.assertLess(result.curves[0].max(), 0.1)
