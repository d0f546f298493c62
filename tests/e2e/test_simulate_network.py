"""Networks of finite width: losses and steps against NumPy, ranks, theory, interruptions, refusals."""
from __future__ import annotations

import signal
import time
from typing import Callable, Mapping

import h5py
import numpy as np

from refusal import RefusalTest
from support import DONE, NUMERICAL, SHARED, ProgramTest, launch, make_pairs, options_of
from test_checkpoint import STOPPED, datasets, start

CIFAR = SHARED / "data/cifar-10-batches-bin"
OFF_DIAGONAL, TEMPERATURE, VICREG = 0.1, 0.3, (5.0, 4.0, 2.0)

Loss = Callable[[np.ndarray, np.ndarray], float]


def plain(a: np.ndarray, b: np.ndarray) -> float:
    """The paper's eq. 1; a and b: embeddings of first and second views, one row a pair."""
    c = (a.T @ b + b.T @ a) / (2 * len(a))
    return float(np.sum((c - np.eye(len(c))) ** 2))


def barlow_twins(a: np.ndarray, b: np.ndarray) -> float:
    """Zbontar et al. 2021, Algorithm 1."""
    za, zb = ((f - f.mean(0)) / np.sqrt(f.var(0) + 1e-5) for f in (a, b))
    c = za.T @ zb / len(a)
    off = c - np.diag(np.diag(c))
    return float(np.sum((1 - np.diag(c)) ** 2) + OFF_DIAGONAL * np.sum(off**2))


def simclr(a: np.ndarray, b: np.ndarray) -> float:
    """Chen et al. 2020, eq. 1."""
    f = np.concatenate([a, b])
    z = f / np.linalg.norm(f, axis=1, keepdims=True)
    logits = z @ z.T / TEMPERATURE
    total = 0.0
    for i in range(len(f)):
        others = [k for k in range(len(f)) if k != i]
        total -= logits[i, (i + len(a)) % len(f)] - np.log(np.sum(np.exp(logits[i, others])))
    return float(total / len(f))


def vicreg(a: np.ndarray, b: np.ndarray) -> float:
    """Bardes et al. 2022, eq. 6."""
    invariance, variance, covariance = VICREG
    total = invariance * np.mean(np.sum((a - b) ** 2, axis=1))
    for f in (a, b):
        cov = np.cov(f.T)
        d = len(cov)
        total += variance * np.sum(np.maximum(0, 1 - np.sqrt(np.diag(cov) + 1e-4))) / d
        total += covariance * np.sum((cov - np.diag(np.diag(cov))) ** 2) / d
    return float(total)


def spectral(a: np.ndarray, b: np.ndarray) -> float:
    """HaoChen et al. 2021, eq. 6, with every view of another pair as a negative."""
    n = len(a)
    f = np.stack([a, b], axis=1)
    negative = [np.sum((f[i] @ f[j].T) ** 2) for i in range(n) for j in range(n) if i != j]
    return float(-2 * np.mean(np.sum(a * b, axis=1)) + np.sum(negative) / (4 * n * (n - 1)))


LOSSES: dict[str, Loss] = {"plain": plain, "barlow-twins": barlow_twins, "simclr": simclr, "vicreg": vicreg,
                           "spectral": spectral}


def by_output(loss: Loss, f: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """dL/df by central differences, f: 2 x n x d."""
    gradient = np.zeros_like(f)
    for place in np.ndindex(f.shape):
        shift = np.zeros_like(f)
        shift[place] = step
        gradient[place] = (loss(*(f + shift)) - loss(*(f - shift))) / (2 * step)
    return gradient


def descending(matrix: np.ndarray) -> np.ndarray:
    return np.linalg.eigvalsh((matrix + matrix.T) / 2)[::-1]


class Network(RefusalTest):
    options = {"model": "network", "data.source": "hdf5", "modes": 3, "kernel.width": 12, "kernel.depth": 2,
               "kernel.activation": "tanh", "kernel.bias-variance": 0.1, "dynamics.alpha": 1,
               "record.spacing": "linear", "record.embeddings": 50}
    of_losses = {"barlow-twins": {"training.off-diagonal": OFF_DIAGONAL}, "simclr": {"training.temperature": TEMPERATURE},
                 "vicreg": {"training.vicreg": ",".join(map(str, VICREG))}}

    def setUp(self) -> None:
        super().setUp()
        self.first, self.second, self.tests = make_pairs(6, 5, tests=3)
        self.path = self.write_pairs(self.first, self.second, self.tests)

    def command(self, options: Mapping[str, object]) -> list[str]:
        of_loss = self.of_losses.get(str(options.get("training.loss")), {})
        return ["simulate", *options_of({**self.options, "data.path": self.path, **of_loss, **options})]

    def simulate(self, options: Mapping[str, object], ranks: int = 1) -> dict[str, np.ndarray]:
        self.runs += 1
        output = self.folder / f"simulation{self.runs}.h5"
        run = launch([*self.command(options), "--output", output], ranks)
        self.assertEqual(run.code, DONE, str(run))
        with h5py.File(output, "r") as file:  # scales have several names, of which datasets() sees one
            return {**datasets(output), "time": file["time"][()], "snapshot": file["snapshot"][()]}

    def test_losses_and_moments_are_their_formulas(self) -> None:
        for name, loss in LOSSES.items():
            with self.subTest(name):
                found = self.simulate({"training.loss": name, "training.rate": 1e-3, "training.steps": 4,
                                       "record.points": 5})
                at = np.searchsorted(found["time"], found["snapshot"])
                seen = [(0, found["initial/outputs"]), *zip(at, found["measured/embeddings"])]
                self.assertEqual(seen[-1][0], 4)
                for record, (a, b) in seen:
                    self.assertAlmostEqual(found["measured/loss"][record], loss(a, b), 10)
                    self.assert_close(found["measured/lambda"][record], descending((a.T @ b + b.T @ a) / 12), 1e-10,
                                      "lambda")
                    self.assert_close(found["measured/covariance"][record],
                                      descending(np.cov(np.concatenate([a, b]).T, bias=True)), 1e-10, "covariance")
                self.assertEqual(found["measured/weight_distance"][0], 0)
                layers = found["measured/layer_distance"][-1]
                self.assertAlmostEqual(found["measured/weight_distance"][-1], np.sqrt(np.sum(layers**2)), 12)
                self.assertEqual(found["measured/test"].shape, (len(at), 3, 3))

    def test_a_step_is_that_of_the_formula(self) -> None:
        """A linear network's outputs move by -rate (w / m) G X^T X, G = dL/dF; momentum and decay as they should."""
        rate, momentum, decay, weight = 1e-3, 0.5, 0.1, 2.0
        x = np.stack([self.first, self.second])
        kernel = weight / x.shape[2] * np.einsum("vim,wjm->viwj", x, x)
        for name, loss in LOSSES.items():
            with self.subTest(name):
                found = self.simulate({"kernel.depth": 0, "kernel.bias-variance": 0, "training.loss": name,
                                       "training.rate": rate, "training.steps": 2, "record.points": 3,
                                       "training.momentum": momentum, "training.weight-decay": decay})
                f = found["initial/outputs"]
                speed = np.zeros_like(f)
                for step in range(2):
                    gradient = np.einsum("viwj,wjd->vid", kernel, by_output(loss, f))
                    speed = momentum * speed + gradient + decay * f
                    f = f - rate * speed
                    moved = found["measured/loss"][step + 1]
                    self.assertLess(abs(moved - loss(*f)), 1e-8 * (1 + abs(moved)), step)
                self.assert_close(found["measured/embeddings"][-1], f, 1e-8, "outputs")
                self.assert_close(found["ntk/kernel"][-1], kernel.reshape(12, 12), 1e-12, "tangent kernel")
                self.assertLess(found["ntk/change"][-1], 1e-12)

    def test_ranks_and_grids_give_the_same(self) -> None:
        for name in LOSSES:
            common = {"training.loss": name, "training.rate": 1e-3, "training.steps": 20, "record.points": 5,
                      "training.momentum": 0.5}
            for more in ({}, {"training.batch": 3, "training.lars": True}):
                expected = self.simulate({**common, **more})
                for ranks, width in ((4, 1),) if more else ((2, 1), (2, 2), (4, 2)):
                    with self.subTest(name, ranks=ranks, width=width, more=more):
                        found = self.simulate({**common, **more, "training.width-ranks": width}, ranks)
                        for what in ("measured/loss", "measured/lambda", "measured/hidden", "measured/embeddings",
                                     "measured/weight_distance", "measured/test", "ntk/kernel", "predicted/lambda"):
                            if what in expected:
                                self.assert_close(found[what], expected[what], 1e-8, what)
                        self.assertLess(np.max(np.abs(found["ntk/change"] - expected["ntk/change"])), 1e-9)

    def test_a_narrow_network_leaves_its_kernel_behind_a_wide_one_does_not(self) -> None:
        changes = {}
        for width in (16, 4096):
            found = self.simulate({"kernel.width": width, "kernel.depth": 1, "training.time": 0.1,
                                   "record.points": 3})
            changes[width] = found["ntk/change"][-1]
        self.assertLess(10 * changes[4096], changes[16])

    def test_divergence_names_step_and_rate(self) -> None:
        output = self.folder / "out.h5"
        run = launch([*self.command({"training.rate": 10, "training.steps": 50}), "--output", output], 2)
        self.assertEqual(run.code, NUMERICAL, str(run))
        self.assertRegex(run.stderr, r"diverges: at step \d+, .*--training.rate is 10, .* largest stable one is .* = "
                                     r"[0-9.e-]+\. What was recorded by then is in .*out.h5.partial")
        with h5py.File(self.folder / "out.h5.partial", "r") as file:
            self.assertEqual(file.attrs["status"], "diverged")
            self.assertGreaterEqual(len(file["time"]), 1)

    def test_divergence_names_what_is_unusual(self) -> None:
        for more, pattern in (({"training.rate": 1e-3, "training.weight-decay": 1e5}, "weight-decay is 100000, above"),
                              ({"training.rate": 1e3, "training.lars": True}, "for which LARS knows no largest stable"),
                              ({"training.rate": 1e-3, "dynamics.alpha": 1e4}, "--dynamics.alpha is 10000, .*smaller")):
            with self.subTest(pattern):
                run = launch([*self.command({"training.steps": 300, **more}), "--output", self.folder / "out.h5",
                              "--force"])
                self.assertEqual(run.code, NUMERICAL, str(run))
                self.assertRegex(run.stderr, f"diverges: at step .*{pattern}")
                self.assertNotIn("largest stable one", run.stderr)

    def test_momentum_is_in_the_prediction_and_the_rate(self) -> None:
        common = {"kernel.width": 1024, "kernel.depth": 1, "kernel.bias-variance": 0, "dynamics.alpha": 1e-3, "modes": 2,
                  "record.points": 300, "record.embeddings": 2}
        plain = self.simulate(common)
        found = self.simulate({**common, "training.momentum": 0.9})
        self.assertLess(found["time"][1] / found["step"][1], plain["time"][1] / plain["step"][1] / 9.99)
        gamma = found["spectrum/gamma"][0]
        self.assertAlmostEqual(found["time"][-1] / found["step"][-1] * 800 * gamma, 1, 12)
        for file in (plain, found):
            self.assert_relative(file["timescales/measured_half_rise"], file["timescales/half_rise"], 0.02, "steps")
            self.assertLess(np.max(np.abs(file["measured/lambda"][-1] - 1)), 0.05)
            self.assertLess(np.max(file["difference/largest"]), 0.1)

    def test_what_the_prediction_leaves_out(self) -> None:
        common = {"dynamics.alpha": 1e-2, "training.rate": 1e-3, "training.steps": 20, "record.points": 3}
        self.assertNotIn("predicted/lambda", self.simulate({**common, "training.weight-decay": 0.1}))
        run = launch([*self.command({**common, "training.batch": 3}), "--output", self.folder / "batch.h5"])
        self.assertEqual(run.code, DONE, str(run))
        self.assertIn("prediction: of training by all pairs; by minibatches of 3", run.stdout)

    def test_a_stopped_run_goes_on_bit_by_bit(self) -> None:
        words = self.command({"training.loss": "vicreg", "training.batch": 3, "training.momentum": 0.9,
                              "training.rate": 1e-5, "training.steps": 20000, "record.points": 40,
                              "record.embeddings": 2})
        expected = self.folder / "expected.h5"
        self.assertEqual(launch([*words, "--output", expected]).code, DONE)
        output, directory = self.folder / "out.h5", self.folder / "kept"
        command = [*words, "--output", str(output), "--restart", str(directory), "--checkpoint-interval", "0"]
        run = start(command, 1)
        deadline = time.monotonic() + 60
        while not (directory / "training.h5").exists() and run.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        run.send_signal(signal.SIGUSR1)
        stdout, stderr = run.communicate(timeout=60)
        self.assertEqual(run.returncode, STOPPED, stdout + stderr)
        again = launch(command)
        self.assertEqual(again.code, DONE, str(again))
        self.assertIn("going on with training", again.stderr)
        found = datasets(output)
        for name, numbers in datasets(expected).items():
            np.testing.assert_array_equal(found[name], numbers, name)

    def test_the_paper_s_network_learns_when_the_theory_says(self) -> None:
        source = ["--data.path", CIFAR] if CIFAR.is_dir() else []
        output = self.folder / "paper.h5"
        run = launch(["simulate", "--preset", "network", *source, "--training.steps", 900, "--record.points", 200,
                      "--output", output])
        self.assertEqual(run.code, DONE, str(run))
        with h5py.File(output, "r") as file:
            expected = file["timescales/half_rise"][:5]
            found = file["timescales/measured_half_rise"][:5]
            self.assertLess(file["ntk/change"][-1], 0.1)
        self.assertTrue(np.all(np.isfinite(expected)), expected)
        self.assert_relative(found, expected, 0.15, "step times")

    def test_refusals(self) -> None:
        def refuse(options: Mapping[str, object], pattern: str, ranks: tuple[int, ...] = (1, 2)) -> None:
            self.refuse(self.command(options), pattern, ranks=ranks)

        refuse({"kernel.width": 0}, "--model network needs --kernel.width")
        refuse({"kernel.type": "rbf"}, "--kernel.type is rbf")
        refuse({"training.loss": "plain,simclr"}, "trained by one")
        refuse({"training.loss": "quartic"}, "'quartic', must be among plain, barlow-twins")
        refuse({"training.loss": "vicreg", "training.steps": 5, "training.vicreg": "1,2"}, "must be three numbers")
        refuse({"training.loss": "simclr"}, "give --training.steps")
        refuse({"training.method": "flow"}, "trained by descent")
        refuse({"training.lars": True}, "give --training.rate")
        refuse({"training.width-ranks": 2}, "must be a divisor of the number of ranks, 3", (3,))
        refuse({"training.loss": "vicreg", "training.steps": 5, "training.batch": 1},
               "too few for --training.loss vicreg")
        refuse({"training.loss": "vicreg", "training.steps": 5, "training.vicreg": "0, 0,0"}, "a loss of nothing")
        refuse({"training.batch": 7}, "--training.batch is 7, but there are 6 pairs: leave it out")
        refuse({"training.trust": 0.5}, "--training.trust 0.5 is of --training.lars, .* leave it out")
        for option, value in (("off-diagonal", 0.1), ("temperature", 0.3), ("vicreg", "1,1,1")):
            refuse({f"training.{option}": value}, f"--training.{option} {value} is of the loss .*: leave it out", (1,))
        refuse({"model": "kernel", "kernel.width": 0, "training.momentum": 0.5}, "is of --model network, not kernel")


FOLDS = 5


def ridge_right(x: np.ndarray, labels: np.ndarray, z: np.ndarray, expected: np.ndarray, penalty: float) -> int:
    """How many rows of z a ridge classifier gets right: one class against the rest, the intercept is free."""
    classes = np.unique(labels)
    y = np.where(labels[:, None] == classes, 1.0, -1.0)
    centred = x - x.mean(0)
    weights = np.linalg.solve(centred.T @ centred + penalty * np.eye(x.shape[1]), centred.T @ (y - y.mean(0)))
    return int(np.sum(classes[np.argmax((z - x.mean(0)) @ weights + y.mean(0), axis=1)] == expected))


def probe_accuracies(f: np.ndarray, labels: np.ndarray, test: np.ndarray | None,
                     test_labels: np.ndarray) -> tuple[float, float]:
    """In cross-validation, and on test samples for the penalty chosen by it. f: 2 x n x d."""
    x, of_x, pair = np.concatenate(f), np.tile(labels, 2), np.tile(np.arange(len(labels)), 2)
    scale = np.sum((x - x.mean(0)) ** 2) / x.shape[1]
    penalties = scale * np.logspace(-6, 2, 9)
    right = [sum(ridge_right(x[pair % FOLDS != fold], of_x[pair % FOLDS != fold], x[pair % FOLDS == fold],
                             of_x[pair % FOLDS == fold], penalty) for fold in range(FOLDS)) for penalty in penalties]
    best = np.flatnonzero(np.array(right) == max(right))[-1]
    tested = np.nan if test is None else ridge_right(x, of_x, test, test_labels, penalties[best]) / len(test)
    return max(right) / len(x), tested


class Probe(ProgramTest):
    models = {"network": {"kernel.type": "ntk", "kernel.width": 64, "kernel.depth": 1},
              "kernel": {"kernel.type": "rbf", "dynamics.alpha": 1e-2},
              "linear": {"kernel.type": "linear", "dynamics.alpha": 1e-2, "training.loss": "plain,quartic"}}

    def setUp(self) -> None:
        super().setUp()
        self.first, self.second, self.test = make_pairs(40, 8, tests=30, seed=2)
        leading = np.linalg.svd(self.first + self.second)[2][:2].T  # which a few modes see
        self.labels, self.test_labels = (3 * (x @ leading[:, 0] > 0) + (x @ leading[:, 1] > 0) - 2
                                         for x in (self.first + self.second, self.test))

    def train(self, model: str, path: object, ranks: int, **more: object) -> h5py.File:
        self.runs += 1
        output = self.folder / f"simulation{self.runs}.h5"
        run = launch(["simulate", *options_of({"model": model, "data.source": "hdf5", "data.path": path, "modes": 3,
                                               "record.points": 20, **self.models[model], **more}),
                      "--output", output], ranks)
        self.assertEqual(run.code, DONE, str(run))
        return self.enterContext(h5py.File(output, "r"))

    def check(self, group: h5py.Group, test_labels: np.ndarray | None) -> None:
        found = group["measured/probe_accuracy"]
        self.assertEqual(found.dims[0][0].name.rsplit("/", 1)[1], "snapshot")
        self.assertIn("cross-validation over" if test_labels is None else "on the test samples",
                      found.attrs["description"])
        for i, (accuracy, f) in enumerate(zip(found, group["measured/embeddings"], strict=True)):
            validated, tested = probe_accuracies(f, self.labels, group["measured/test"][i], test_labels)
            self.assertAlmostEqual(accuracy, validated if test_labels is None else tested, 12, f"snapshot {i}")
        self.assertGreater(found[-1], 0.4)  # of four classes

    def test_probe_is_ridge_regression_of_the_labels(self) -> None:
        with_tests = self.write_pairs(self.first, self.second, self.test, labels=self.labels,
                                      test_labels=self.test_labels)
        without = self.write_pairs(self.first, self.second, self.test, "without.h5", labels=self.labels)
        for model in self.models:
            for path, test_labels, ranks in ((with_tests, self.test_labels, 1), (with_tests, self.test_labels, 2),
                                             (without, None, 2)):
                with self.subTest(model, path=path.name, ranks=ranks):
                    file = self.train(model, path, ranks)
                    np.testing.assert_array_equal(file["data/labels"], self.labels)
                    self.assertEqual("data/test_labels" in file, test_labels is not None)
                    for group in (file["plain"], file["quartic"]) if model == "linear" else (file,):
                        self.check(group, test_labels)

    def test_no_labels_no_probe(self) -> None:
        for more in ({}, {"labels": np.ones(40, int)}):
            file = self.train("network", self.write_pairs(self.first, self.second, self.test, **more), 1)
            self.assertNotIn("measured/probe_accuracy", file)
            self.assertEqual("data/labels" in file, "labels" in more)
        file = self.train("network", self.write_pairs(self.first, self.second, labels=self.labels), 1,
                          **{"record.embeddings": 0})
        self.assertNotIn("measured/probe_accuracy", file)
