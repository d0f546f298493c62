"""Wrong command lines: exit code 2 and one message that names the offending word."""
from __future__ import annotations

import unittest
from typing import Mapping

from refusal import RefusalTest
from support import DONE, INPUT, launch, make_pairs


class Usage(RefusalTest):
    def refuse_option(self, name: str, value: object, *patterns: str, base: Mapping[str, object] = {},
                      ranks: tuple[int, ...] = (2,)) -> None:
        options = {"data.pairs": 8, "modes": 2, **base, name: value}
        self.refuse(["solve", *(f"--{key}={value}" for key, value in options.items())], *patterns, ranks=ranks)

    def test_unknown_words(self) -> None:
        self.refuse(["solve", "--kernel.tipe", "rbf"], r"kernel\.tipe", ranks=(1, 4))
        self.refuse(["solve", "--kernels.type", "rbf"], r"kernels\.type")
        self.refuse(["solve", "--kernel.typ", "rbf"], r"kernel\.typ\b")  # no guessing from the beginning of a name
        self.refuse(["solve", "stray"], "stray")
        self.refuse(["solve", "-x"], "option -x")

    def test_unknown_command(self) -> None:
        self.refuse(["slove"], "slove", output=None, ranks=(1, 4))
        run = launch([])
        self.assertEqual(run.code, INPUT, str(run))
        self.assertIn("stepwise solve", run.stdout + run.stderr)

    def test_unknown_choices(self) -> None:
        self.refuse_option("kernel.type", "gauss", "gauss", "rbf", ranks=(1, 4))
        self.refuse_option("data.source", "imagenet", "imagenet", "cifar10")
        self.refuse_option("solver.method", "magic", "magic", "cholesky")

    def test_missing_value(self) -> None:
        self.refuse(["solve", "--kernel.type"], r"kernel\.type", output=None)
        self.refuse(["solve", "--modes"], "modes", output=None)
        self.refuse(["solve", "--modes", "--data.pairs", 5], "--modes lacks a value")
        self.refuse(["solve", "--config"], "--config lacks a value", ranks=(1,))  # --output follows

    def test_given_twice(self) -> None:
        self.refuse(["solve", "--modes", 2, "--modes", 3], "modes")

    def test_not_a_number(self) -> None:
        for value in ("many", "1e4", "2.5", "0x10", "", "99999999999999999999"):
            self.refuse_option("modes", value, "modes", ranks=(1,))
        for value in ("small", "nan", "inf", "-inf", "1e999", "1,5"):
            self.refuse_option("dynamics.alpha", value, r"dynamics\.alpha", ranks=(1,))
        self.refuse_option("data.standardize", "perhaps", r"data\.standardize", "perhaps")

    def test_out_of_range(self) -> None:
        rows = {
            "data.pairs": (0, -3), "data.test": (-3,), "modes": (0, -1), "seed": (-1,),
            "views.crop": (-1,), "views.noise": (-0.5,),
            "solver.block-size": (0, -4), "dynamics.alpha": (0, -1e-7), "dynamics.points": (0, -5),
            "dynamics.t-max": (-1,),
        }
        for name, values in rows.items():
            for value in values:
                self.refuse_option(name, value, name.split(".")[-1], ranks=(2,) if value == values[0] else (1,))

    def test_beyond_64_bits(self) -> None:
        for name in ("modes", "seed"):
            self.refuse_option(name, 2**64 - 1, name, f"to {2**63 - 1}")

    def test_kernel_out_of_range(self) -> None:
        network = {"kernel.type": "ntk"}
        for name in ("weight-variance", "bias-variance", "readout-weight-variance", "readout-bias-variance"):
            self.refuse_option(f"kernel.{name}", -1, name, "-1", base=network)
        self.refuse_option("kernel.depth", -1, "depth", base=network)
        self.refuse_option("kernel.length-scale", -2, "length-scale", base={"kernel.type": "rbf"})
        self.refuse_option("kernel.degree", 0, "degree", base={"kernel.type": "polynomial"})
        self.refuse_option("kernel.offset", -1, "offset", base={"kernel.type": "polynomial"})

    def test_grid(self) -> None:
        for value in ("2", "2x", "x2", "axb", "0x2", "-1x-2", "2x2x2"):
            self.refuse_option("solver.grid", value, "grid", ranks=(1,))
        self.refuse_option("solver.grid", "3x3", "grid", "3x3", r"\b2\b", ranks=(2,))

    def test_alpha_so_large_that_the_loss_overflows(self) -> None:
        self.refuse_option("dynamics.alpha", "1e150", "dynamics.alpha", "lambda_1")

    def test_factoring_without_a_matrix(self) -> None:
        self.refuse_option("solver.method", "cholesky", "kernel.storage none", "krylov", base={"kernel.storage": "none"})

    def test_empty_output(self) -> None:
        self.refuse(["solve", "--data.pairs", 8, "--modes", 2, "--output="], "output", output=None)

    def test_more_ranks_than_blocks_works(self) -> None:
        first, second, tests = make_pairs(3, 5, tests=2)
        path = self.write_pairs(first, second, tests)
        for method in ("spectral", "cholesky", "krylov"):
            output = self.out / f"{method}.h5"
            run = launch(["solve", "--data.source", "hdf5", "--data.path", path, "--modes", 2, "--solver.method",
                          method, "--solver.block-size", 64, "--output", output], 6)
            self.assertEqual(run.code, DONE, str(run))


if __name__ == "__main__":
    unittest.main()
