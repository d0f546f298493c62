"""Real images: the stored reference values for crops of CIFAR-10, and the staircase of the paper's figure 1."""
from __future__ import annotations

import unittest

import h5py
import numpy as np

import reference
from support import SHARED, ProgramTest

ORACLE = SHARED / "oracle/cifar_crops_n200.h5"
CIFAR = SHARED / "data/cifar-10-batches-bin"
MODES = 10
KERNELS = {
    "linear": {"kernel.type": "linear"},
    "rbf": {"kernel.type": "rbf"},
    "relu-nngp-3": {"kernel.type": "nngp", "kernel.depth": 3},
    "relu-ntk-3": {"kernel.type": "ntk", "kernel.depth": 3},
    "erf-ntk-2": {"kernel.type": "ntk", "kernel.depth": 2, "kernel.activation": "erf", "kernel.weight-variance": 2.25,
                  "kernel.bias-variance": 0.01},
}


@unittest.skipUnless(ORACLE.is_file(), f"{ORACLE} is not there")
class Oracle(ProgramTest):
    def expected(self, name: str) -> dict[str, np.ndarray]:
        with h5py.File(ORACLE, "r") as file:
            return {key: value[()] for key, value in file["expected"][name].items()}

    def check(self, name: str, expected: dict[str, np.ndarray], slack: float = 1) -> None:
        for method, ranks in (("spectral", 3), ("cholesky", 2), ("krylov", 2)):
            with self.subTest(kernel=name, method=method, ranks=ranks):
                result = self.solve({"data.source": "hdf5", "data.path": ORACLE, "modes": MODES,
                                     "dynamics.alpha": 1e-7, "solver.method": method, **KERNELS[name]}, ranks)
                self.assert_relative(result.gamma[:MODES], expected["gamma"][:MODES], 1e-10 * slack, "gamma")
                self.assert_relative(result.tau, expected["tau_alpha_1e-07"], 1e-9 * slack, "tau")
                for actual, key in ((result.train, "K_emb_first20"), (result.test, "K_emb_test_first20")):
                    block = actual[:20] @ actual[:20].T
                    # An embedding moves by the residual over the gap to the next gamma.
                    iterative = 10 if method == "krylov" else 1
                    self.assert_close(block, expected[key], 1e-8 * slack * iterative, key, scale=1)

    def test_linear(self) -> None:
        self.check("linear", self.expected("linear"))

    def test_rbf(self) -> None:
        self.check("rbf", self.expected("rbf"))

    def test_nngp(self) -> None:
        self.check("relu-nngp-3", self.expected("relu-nngp-3"))

    def test_erf_ntk(self) -> None:
        self.check("erf-ntk-2", self.expected("erf-ntk-2"))

    def test_ntk(self) -> None:
        """The stored NTK has rounding noise where a sample meets itself: K_ii is 2.7e-8 below 8 |x|^2 / m, its exact
        value. The same formula with the angle 0 there differs from the stored numbers in nothing else, and is what
        the program must meet to the full tolerance."""
        stored = self.expected("relu-ntk-3")
        with h5py.File(ORACLE, "r") as file:
            first, second, test = (file[key][()].astype(float) for key in ("view_a", "view_b", "test"))

        def recomputed(exact: bool) -> dict[str, np.ndarray]:
            network = reference.Network(depth=3, exact_zero_angle=exact)
            solution = reference.solve(network.ntk, first, second, test, MODES)
            train, tests = solution.pair_blocks()
            tau = reference.timescales(solution.gamma[:MODES], reference.initial_scales(1e-7, MODES))
            return {"gamma": solution.gamma, "tau_alpha_1e-07": tau, "K_emb_first20": train[:20, :20],
                    "K_emb_test_first20": tests[:20, :20], "K_first5": solution.kernel[:5, :5]}

        noisy, exact = recomputed(exact=False), recomputed(exact=True)
        self.assert_relative(noisy["gamma"][:MODES], stored["gamma"][:MODES], 1e-8, "how the stored gamma came about")
        self.assert_relative(noisy["K_first5"], stored["K_first5"], 1e-8, "how the stored kernel came about")
        self.assert_relative(np.diag(exact["K_first5"]), 8 * np.sum(first[:5] ** 2, axis=1) / first.shape[1], 1e-14,
                             "the exact diagonal")
        self.check("relu-ntk-3", exact)
        self.check("relu-ntk-3", stored, slack=1000)


@unittest.skipUnless(CIFAR.is_dir(), f"{CIFAR} is not there")
class PaperFigureOne(ProgramTest):
    def test_timescales_separate(self) -> None:
        for method in ("spectral", "cholesky"):
            result = self.solve({"data.source": "cifar10", "data.path": CIFAR, "data.pairs": 500, "views.crop": 20,
                                 "kernel.type": "linear", "modes": MODES, "dynamics.alpha": 1e-7, "seed": 1,
                                 "solver.method": method}, ranks=2)
            self.assertTrue(0.003 < result.tau[0] < 0.03, f"first timescale {result.tau[0]:.3g}")
            self.assertTrue(0.3 < result.tau[-1] < 2, f"last timescale {result.tau[-1]:.3g}")
            self.assertTrue(np.all(np.diff(result.tau) > 0), "one step after another")
            # A staircase: between two timescales that are well apart the loss rests near a whole number.
            ratios = result.tau[1:] / result.tau[:-1]
            step = int(np.argmax(ratios)) + 1
            between = np.sqrt(result.tau[step - 1] * result.tau[step])
            loss = np.interp(between, result.time, result.loss)
            self.assertLess(abs(loss - (MODES - step)), 0.1, "the loss rests between two steps")


if __name__ == "__main__":
    unittest.main()
