"""Networks: other codes' numbers, the standard parameterisation, finite networks, what --kernel.network refuses."""
from __future__ import annotations

from typing import Mapping

import h5py
import numpy as np

import codes
import reference
from refusal import RefusalTest
from support import MEMORY, ProgramTest, make_pairs, read_result

MODES = 5


class OtherCodes(ProgramTest):
    def check(self, kernel: reference.Kernel, options: Mapping[str, object]) -> None:
        first, second, test = make_pairs(15, 8, tests=4)
        path = self.write_pairs(first, second, test)
        expected = reference.solve(kernel, first, second, test, MODES)
        train, tests = expected.pair_blocks()
        with self.subTest(**{key.replace(".", "_"): value for key, value in options.items()}):
            result = self.solve_pairs(path, {"modes": MODES, "kernel.type": "ntk", "solver.method": "cholesky",
                                             **options}, 2)
            self.assert_close(result.gamma, expected.gamma, 1e-12, "gamma")
            self.assert_close(result.kernel_train, train, 1e-9, "K_emb")
            self.assert_close(result.kernel_test, tests, 1e-9, "K_emb of tests")

    def test_cntk(self) -> None:
        for depth in (1, 3):
            self.check(codes.cntk(depth), {"convention": "cntk", "kernel.depth": depth})
        self.check(codes.cntk(3, first_and_last=False), {"convention": "cntk-fixed", "kernel.depth": 3})

    def test_uci(self) -> None:
        for depth in (1, 4):
            self.check(codes.uci(depth), {"convention": "uci", "kernel.depth": depth})

    def test_scikit_ntk(self) -> None:
        for depth, beta in ((1, 0.0), (3, 0.1), (2, 1.5)):
            self.check(codes.scikit_ntk(depth, beta),
                       {"convention": "scikit-ntk", "kernel.depth": depth, "kernel.bias-variance": beta**2})

    def test_factors_to_this_code(self) -> None:
        """The table in docs/kernels.md."""
        path = self.write_pairs(*make_pairs(15, 8)[:2])
        for depth in (1, 3):
            options = {"kernel.type": "ntk", "kernel.depth": depth, "modes": MODES, "solver.method": "cholesky"}
            here = self.solve_pairs(path, options).gamma
            for convention, factor in (("cntk", 8 / 2), ("uci", 8 / 2 ** (depth + 1)),
                                       ("scikit-ntk", 8 / 2 / (depth + 1))):
                with self.subTest(convention=convention, depth=depth):
                    there = self.solve_pairs(path, {**options, "convention": convention}).gamma
                    self.assert_close(there, factor * here, 1e-12, "gamma")

    def test_standard_parameterization(self) -> None:
        for bias in (0.0, 0.3):
            self.check(codes.standard(2, 64, 1.8, bias),
                       {"kernel.parameterization": "standard", "kernel.width": 64, "kernel.depth": 2,
                        "kernel.weight-variance": 1.8, "kernel.bias-variance": bias})


class FiniteNetworks(ProgramTest):
    OPTIONS = {"data.pairs": 60, "views.crop": 8, "data.test": 6, "kernel.type": "empirical-ntk", "modes": MODES,
               "kernel.depth": 2, "kernel.bias-variance": 0.1, "seed": 3}

    def test_ranks_methods_and_storage_do_not_matter(self) -> None:
        options = {**self.OPTIONS, "kernel.width": 24, "kernel.networks": 2, "kernel.outputs": 3}
        for multi_output in ("trace", "scalar"):
            options["kernel.multi-output"] = multi_output
            expected = self.solve({**options, "solver.method": "spectral"})
            for method, storage, ranks in (("cholesky", "double", 4), ("krylov", "double", 3), ("krylov", "single", 2),
                                           ("krylov", "none", 2)):
                with self.subTest(multi_output=multi_output, method=method, storage=storage):
                    file = self.solve_file({**options, "solver.method": method, "kernel.storage": storage}, ranks)
                    result = read_result(file)
                    self.assert_relative(result.gamma[:MODES], expected.gamma[:MODES], 1e-10, "gamma")
                    self.assert_close(result.kernel_train, expected.kernel_train, 1e-7, "K_emb")
                    self.assert_close(result.kernel_test, expected.kernel_test, 1e-7, "K_emb of tests")
                    with h5py.File(file) as written:
                        self.assertRegex(written.attrs["kernel_convention"],
                                         "empirical ntk, mean over 2 networks of width 24 with 3 outputs")

    def test_wide_ones_come_near_the_infinite_one(self) -> None:
        """Errors fall like (width x networks)^(-1/2)."""
        for more in ({}, {"kernel.parameterization": "standard"}, {"kernel.activation": "erf"}):
            with self.subTest(**more):
                errors = []
                for width, networks in ((16, 1), (512, 4)):
                    options = {**self.OPTIONS, **more, "kernel.width": width}
                    if "kernel.parameterization" in more:
                        infinite = self.solve({**options, "kernel.type": "ntk"})
                    else:
                        infinite = self.solve({**self.OPTIONS, **more, "kernel.type": "ntk"})
                    finite = self.solve({**options, "kernel.networks": networks}, 2)
                    errors.append(np.max(np.abs(finite.gamma[:MODES] / infinite.gamma[:MODES] - 1)))
                self.assertLess(errors[1], 0.1)
                self.assertLess(errors[1], errors[0] / 2)

    def test_seeds(self) -> None:
        """Other networks, but the same data: pairs come from a file."""
        path = self.write_pairs(*make_pairs(15, 8)[:2])
        options = {"kernel.type": "empirical-ntk", "kernel.width": 16, "modes": MODES}
        first, again, other = (self.solve_pairs(path, {**options, "seed": seed}) for seed in (1, 1, 2))
        self.assertTrue(np.array_equal(first.gamma, again.gamma))
        self.assertGreater(np.max(np.abs(first.gamma - other.gamma)), 1e-3 * first.gamma[0])


class Refusals(RefusalTest):
    def refuse_options(self, options: Mapping[str, object], *patterns: str, **more: object) -> None:
        words = {"data.pairs": 8, "modes": 2, "views.crop": 8, **options}
        self.refuse(["solve", *(f"--{key}={value}" for key, value in words.items())], *patterns, **more)

    def test_elements_of_the_list(self) -> None:
        for text, *patterns in (
            ("dense, , relu, dense", "element 2", "empty"),
            ("dense, relu, dense,", "element 4", "empty"),
            ("dense, rellu, dense", "element 2", "'rellu'", "no such layer", "relu"),
            ("conv, relu, gap, dense", "element 1", "'conv'", "size"),
            ("conv x, relu, gap, dense", "element 1", "'conv x'", "size"),
            ("dense w=abc, relu, dense", "element 1", "'w=abc' is not a number"),
            ("dense w=1 w=2, relu, dense", "element 1", "'w=2'"),
            ("dense w=-1, relu, dense", "layer 1", "weight variance"),
            ("dense w=nan, relu, dense", "layer 1", "weight variance"),
            ("dense, relu now, dense", "element 2", "'relu now'", "'now' is not understood"),
            ("dense, arccos, dense", "element 2", "'arccos'", "order"),
            ("dense, arccos 3, dense", "layer 2", "arc-cosine", "0, 1 or 2"),
            ("conv 3, relu, dense", "layer 3", "dense", "flatten or gap before"),
            ("flatten, dense, gap", "layer 3", "gap", "no images"),
            ("conv 3, avgpool 3, gap, dense", "layer 2", "avgpool 3", "3 does not divide images of 8 x 8"),
            ("conv 3, flatten, conv 3, gap, dense", "layer 3", "conv 3", "flatten or gap came before"),
            ("conv 2, gap, dense", "layer 1", "conv 2", "odd"),
            ("conv 17, gap, dense", "layer 1", "conv 17", "too large for images of 8 x 8"),
            ("conv 3, relu", "flatten or gap after"),
            ("fc--1", "fc--1", "from 0 to 10000"),
            ("cnn-gap-x", "'cnn-gap-x'", "no such layer"),
        ):
            self.refuse_options({"kernel.network": text}, "--kernel.network", *patterns, ranks=(1,))
        self.refuse_options({"kernel.network": "dense, relux, dense"}, "'relux'", ranks=(2,))
        self.refuse_options({"kernel.activation": "rel"}, "--kernel.activation", "'rel'", "relu", ranks=(1,))

    def test_conventions(self) -> None:
        for convention, options, *patterns in (
            ("cntk", {"kernel.activation": "erf"}, "ReLU networks only, not erf"),
            ("uci", {"kernel.network": "conv 3, relu, gap, dense"}, "fully connected"),
            ("scikit-ntk", {"kernel.network": "dense, relu, dense frozen"}, "frozen"),
            ("scikit-ntk", {"kernel.network": "dense b=1, relu, dense"}, "one bias"),
            ("cntk", {"kernel.bias-variance": 0.1}, "no biases"),
            ("uci", {"kernel.network": "dense, relu, dense b=1"}, "no biases"),
            ("cntk", {"kernel.type": "rbf"}, "kernel.type is rbf"),
            ("cntk", {"kernel.parameterization": "standard", "kernel.width": 8}, "parameterization of its own"),
        ):
            self.refuse_options({"convention": convention, **options}, f"--convention {convention}", *patterns,
                                ranks=(1,))

    def test_finite_networks(self) -> None:
        finite = {"kernel.type": "empirical-ntk"}
        self.refuse_options(finite, "empirical-ntk needs --kernel.width")
        self.refuse_options({**finite, "kernel.width": 0}, "empirical-ntk needs --kernel.width", ranks=(1,))
        self.refuse_options({**finite, "kernel.width": 2**40, "kernel.networks": 10000}, "kernel.width", "memory",
                            code=MEMORY)
        self.refuse_options({**finite, "kernel.width": 8, "kernel.networks": 0}, "kernel.networks", ranks=(1,))
        self.refuse_options({**finite, "kernel.width": 8, "kernel.outputs": -1}, "kernel.outputs", ranks=(1,))
        self.refuse_options({**finite, "kernel.width": 8, "kernel.multi-output": "sum"}, "multi-output", "trace",
                            ranks=(1,))
        self.refuse_options({**finite, "kernel.width": 8, "kernel.network": "conv 3, relu, gap, dense"},
                            "empirical-ntk", "fully connected")
        self.refuse_options({**finite, "kernel.width": 8, "kernel.network": "dense frozen, relu, dense frozen"},
                            "empirical-ntk", "no layer is trained")
        self.refuse_options({**finite, "kernel.width": 8, "kernel.random-features": 10}, "random-features",
                            "empirical-ntk", ranks=(1,))
        self.refuse_options({**finite, "kernel.width": 8, "solver.method": "primal"}, "explicit features", ranks=(1,))
        for option in ("networks", "outputs"):
            self.refuse_options({f"kernel.{option}": 2}, f"kernel.{option}", "empirical-ntk", ranks=(1,))
        self.refuse_options({"kernel.width": 8}, "--kernel.width 8", "leave it out", ranks=(1,))
        self.refuse_options({"kernel.parameterization": "standard"}, "standard needs --kernel.width", ranks=(1,))
        self.refuse_options({"kernel.type": "rbf", "kernel.parameterization": "standard", "kernel.width": 8},
                            "--kernel.parameterization standard", "rbf", ranks=(1,))
