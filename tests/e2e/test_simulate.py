"""Training for real: every model against its formulas in NumPy, and against what the theory predicts of it."""
from __future__ import annotations

import unittest
from pathlib import Path
from typing import Callable, Mapping

import h5py
import numpy as np

from support import DONE, INPUT, ProgramTest, launch, make_pairs, options_of

Array = np.ndarray


def gradient(loss: str, c: Array, epsilon: float = 0.1) -> tuple[float, Array]:
    """A loss of the eigenvalues of C and its derivative by C (paper eq. 1 and App. G)."""
    l, u = np.linalg.eigh(c)
    value, slope = {
        "plain": lambda: ((1 - l) ** 2, -2 * (1 - l)),
        "sharpened": lambda: ((1 - np.sign(l) * np.sqrt(np.abs(l))) ** 2,
                              -(1 - np.sign(l) * np.sqrt(np.abs(l))) / np.sqrt(np.abs(l))),
        "smoothed": lambda: ((1 - np.minimum(l, 1 + epsilon * (1 - l))) ** 2,
                             -2 * (1 - l) * np.where(l > 1, epsilon**2, 1)),
        "quartic": lambda: ((1 - l) ** 4, -4 * (1 - l) ** 3),
    }[loss]()
    return float(value.sum()), (u * slope) @ u.T


class Simulation(ProgramTest):
    def setUp(self) -> None:
        super().setUp()
        self.first, self.second, self.tests = make_pairs(12, 6, 4)
        self.path = self.write_pairs(self.first, self.second, self.tests)
        self.stacked = np.concatenate([self.first, self.second])
        self.n = len(self.first)
        swap = np.roll(np.eye(2 * self.n), self.n, axis=0)
        self.gamma_matrix = self.stacked.T @ swap @ self.stacked / (2 * self.n)
        self.swap = swap

    def simulate_file(self, options: Mapping[str, object], ranks: int = 1) -> Path:
        self.runs += 1
        output = self.folder / f"simulation{self.runs}.h5"
        run = launch(["simulate", *options_of(options), "--output", output], ranks)
        self.assertEqual(run.code, DONE, str(run))
        self.assertFalse(Path(f"{output}.partial").exists())
        return output

    def simulate(self, options: Mapping[str, object], ranks: int = 1) -> dict[str, Array]:
        found: dict[str, Array] = {}

        def visit(name: str, item: object) -> None:
            if isinstance(item, h5py.Dataset):
                found[name] = item[()]

        with h5py.File(self.simulate_file(options, ranks), "r") as file:
            self.assertEqual(file.attrs["status"], "complete")
            self.assertEqual(file.attrs["schema_name"], "stepwise-simulation")
            file.visititems(visit)  # meets each dataset once, scales under the first of their names
            for name in file:
                visit(name, file[name])
        return found

    def of_pairs(self, **options: object) -> dict[str, object]:
        return {"data.source": "hdf5", "data.path": self.path, "modes": 3,
                **{name.replace("__", ".").replace("_", "-"): value for name, value in options.items()}}

    def descend(self, x: Array, step: Callable[[Array], tuple[float, Array, Array]], rate: float,
                steps: int) -> tuple[Array, Array, list[Array]]:
        """Eigenvalues of C, loss and state before each step, and after the last one."""
        spectra, losses, states = [], [], []
        for _ in range(steps + 1):
            loss, c, velocity = step(x)
            spectra.append(np.linalg.eigvalsh(c)[::-1])
            losses.append(loss)
            states.append(x)
            x = x + rate * velocity
        return np.array(spectra), np.array(losses), states


class Linear(Simulation):
    def step(self, loss: str, damping: float = 0) -> Callable[[Array], tuple[float, Array, Array]]:
        def of(w: Array) -> tuple[float, Array, Array]:
            c = w @ self.gamma_matrix @ w.T
            value, slope = gradient("plain" if damping else loss, c)
            if damping:
                f = w @ self.stacked.T
                slope = np.linalg.solve(f @ f.T / f.shape[1] + damping * np.eye(len(c)), slope)
            return value, c, -2 * slope @ w @ self.gamma_matrix
        return of

    def test_descent_step_by_step(self) -> None:
        rate, steps = 2e-3, 400
        found = self.simulate(self.of_pairs(model="linear", dynamics__alpha=0.01, training__method="descent",
                                            training__rate=rate, training__steps=steps, record__spacing="linear",
                                            record__points=steps + 1, record__embeddings=3))
        np.testing.assert_array_equal(found["step"], np.arange(steps + 1))
        self.assert_close(found["time"], rate * np.arange(steps + 1), 1e-14, "time")
        spectra, losses, states = self.descend(found["initial/weights"], self.step("plain"), rate, steps)
        self.assertGreater(spectra[-1, 0], 0.99)
        self.assert_close(found["measured/lambda"], spectra, 1e-10, "lambda")
        self.assert_close(found["measured/loss"], losses, 1e-10, "loss")
        at = [int(np.argmin(np.abs(found["time"] - t))) for t in found["snapshot"]]
        self.assertEqual(at[-1], steps)
        for i, record in enumerate(at):
            f = states[record] @ self.stacked.T
            self.assert_close(found["measured/embeddings"][i].reshape(-1, 3).T, f, 1e-10, "embeddings")
            self.assert_close(found["measured/test"][i].T, states[record] @ self.tests.T, 1e-10, "test embeddings")

        # What the theory has to say, from W(0): aligned with the modes by QR, each of them descending by itself.
        g, v = np.linalg.eigh(self.gamma_matrix)
        g, v = g[::-1][:3], v[:, ::-1][:, :3]
        r = np.linalg.qr(found["initial/weights"] @ v)[1]
        self.assert_relative(found["initial/s0"], np.abs(np.diag(r)), 1e-9, "s0")
        s = np.abs(np.diag(r))
        predicted = []
        for _ in range(steps + 1):
            predicted.append(g * s**2)
            s = s + 4 * rate * g * (1 - g * s**2) * s
        self.assert_close(found["predicted/lambda"], np.array(predicted), 1e-9, "predicted lambda")
        t = found["time"][:, None]
        s0 = found["initial/s0"]
        flow = 1 / (1 + (1 / (g * s0**2) - 1) * np.exp(-8 * g * t))
        self.assert_close(found["predicted/flow_lambda"], flow, 1e-9, "lambda of gradient flow")
        apart = spectra - np.sort(predicted)[:, ::-1]
        self.assert_close(found["difference/lambda"], apart, 1e-9, "difference", scale=1)
        self.assert_close(found["difference/largest"], np.abs(apart).max(axis=0), 1e-9, "largest difference", scale=1)

    def test_prediction_of_flow_and_its_embeddings(self) -> None:
        found = self.simulate(self.of_pairs(model="linear", dynamics__alpha=1e-8))
        g, s0, u = found["spectrum/gamma"][:3], found["initial/s0"], found["initial/u"]
        self.assert_close(u @ u.T, np.eye(3), 1e-12, "U")
        t = found["time"][:, None]
        expected = 1 / (1 + (1 / (g * s0**2) - 1) * np.exp(-8 * g * t))
        self.assert_close(found["predicted/lambda"], expected, 1e-9, "predicted lambda")
        self.assert_close(found["predicted/loss"], ((1 - expected) ** 2).sum(axis=1), 1e-9, "predicted loss")
        self.assertLess(np.abs(found["difference/lambda"]).max(), 0.02)
        self.assert_relative(found["timescales/half_rise"], np.log((1 - g * s0**2) / (g * s0**2)) / (8 * g), 1e-9,
                             "half-rise")
        self.assert_relative(found["timescales/measured_half_rise"], found["timescales/half_rise"], 0.02, "steps")
        # f(x, t) = U S(t) A^T k(x) = U S(t) G^T x
        v = np.linalg.eigh(self.gamma_matrix)[1][:, ::-1][:, :3]
        for i, time in enumerate(found["snapshot"]):
            s = np.sqrt(1 / (g + (1 / s0**2 - g) * np.exp(-8 * g * time)))
            signs = np.sign(np.sum(v * (np.linalg.pinv(self.stacked) @ found["predicted/embeddings"][-1].reshape(-1, 3)
                                        @ u), axis=0))
            f = u @ np.diag(s) @ (v * signs).T @ self.stacked.T
            self.assert_close(found["predicted/embeddings"][i].reshape(-1, 3).T, f, 1e-8, "predicted embeddings")
            f = u @ np.diag(s) @ (v * signs).T @ self.tests.T
            self.assert_close(found["predicted/test"][i].T, f, 1e-8, "predicted test embeddings")
            apart = found["measured/embeddings"][i] - found["predicted/embeddings"][i]
            relative = np.linalg.norm(apart) / np.linalg.norm(found["predicted/embeddings"][i])
            self.assertAlmostEqual(found["difference/embeddings"][i], relative, delta=1e-9)
        self.assertLess(found["difference/embeddings"][-1], 0.02)

    def test_deviation_falls_with_alpha(self) -> None:
        worst = {}
        for alpha in (1e-3, 1e-5, 1e-7):
            found = self.simulate(self.of_pairs(model="linear", dynamics__alpha=alpha, record__embeddings=0))
            worst[alpha] = np.abs(found["difference/lambda"]).max()
        self.assertLess(worst[1e-7], 0.02)
        self.assertLess(worst[1e-7], worst[1e-5])
        self.assertLess(worst[1e-5], worst[1e-3])

    def test_aligned_start_is_predicted_exactly(self) -> None:
        """From weights that are aligned with the modes the closed form has no error but the integrator's."""
        g, v = np.linalg.eigh(self.gamma_matrix)
        v = v[:, ::-1][:, :3]
        u = np.linalg.qr(np.random.default_rng(1).standard_normal((3, 3)))[0]
        with h5py.File(self.folder / "start.h5", "w") as file:
            file["w"] = u @ np.diag([3e-4, 2e-4, 1e-4]) @ v.T
        start = f"{self.folder / 'start.h5'}:/w"
        for method in ("flow", "descent"):
            found = self.simulate(self.of_pairs(model="linear", training__start=start, training__method=method,
                                                **({"training__tolerance": 1e-12} if method == "flow" else {})))
            self.assertLess(np.abs(found["difference/lambda"]).max(), 1e-8, method)
            self.assertLess(found["difference/embeddings"].max(), 1e-6, method)

    def test_losses(self) -> None:
        losses = ["plain", "sharpened", "smoothed", "quartic", "preconditioned"]
        rate, steps = 1e-3, 60
        found = self.simulate(self.of_pairs(model="linear", dynamics__alpha=0.05, training__method="descent",
                                            training__rate=rate, training__steps=steps, record__spacing="linear",
                                            record__points=steps + 1, training__loss=",".join(losses),
                                            training__damping=0.5, record__embeddings=1))
        for loss in losses:
            step = self.step(loss, 0.5 if loss == "preconditioned" else 0)
            spectra, values, states = self.descend(found["initial/weights"], step, rate, steps)
            self.assert_close(found[f"{loss}/measured/lambda"], spectra, 1e-8, loss)
            self.assert_close(found[f"{loss}/measured/loss"], values, 1e-8, loss)
            self.assert_close(found[f"{loss}/measured/embeddings"][0].reshape(-1, 3).T, states[-1] @ self.stacked.T,
                              1e-8, loss)
        self.assertEqual([name.decode() for name in found["losses/loss"]], losses)
        self.assertEqual(found["losses/time_to_learn"].shape, (5, 3))
        self.assertIn("plain/predicted/lambda", found)
        self.assertNotIn("quartic/predicted/lambda", found)

    def test_steps_are_timed(self) -> None:
        found = self.simulate({"preset": "losses", "data.pairs": 30, "views.crop": 6, "modes": 2,
                               "record.embeddings": 0})
        times = dict(zip([name.decode() for name in found["losses/loss"]], found["losses/time_to_learn"]))
        self.assert_relative(times["plain"], found["timescales/half_rise"], 0.02, "plain")
        self.assert_relative(found["plain/timescales/measured_half_rise"], times["plain"], 1e-12, "plain")
        for loss in ("sharpened", "quartic", "preconditioned"):
            self.assertTrue(np.all(times[loss] < times["plain"]), loss)


class Kernel(Simulation):
    def follow(self, found: dict[str, Array], k: Array, rate: float, swap: Array, norm: float,
               cross: Array | None = None) -> None:
        """dF/dt = (4/c) (I - C) F B K by Euler's method, from the recorded F_0."""
        d = found["initial/outputs"].shape[2]
        f = found["initial/outputs"].reshape(-1, d).T
        for step, expected in zip(found["step"], found["measured/lambda"]):
            c = f @ swap @ f.T / norm
            self.assert_close(expected, np.linalg.eigvalsh(c)[::-1], 1e-9, f"lambda at step {step}", scale=1)
            f = f + rate * 4 / norm * (np.eye(d) - c) @ f @ swap @ k

    def run_kernel(self, **options: object) -> dict[str, Array]:
        return self.simulate(self.of_pairs(**{
            "dynamics__alpha": 0.05, "training__method": "descent", "training__steps": 150,
            "record__spacing": "linear", "record__points": 151, **options}))

    def rbf(self, x: Array, y: Array) -> Array:
        return np.exp(-((x[:, None] - y) ** 2).sum(axis=2) / (2 * 9))

    def test_any_kernel_step_by_step(self) -> None:
        rbf = {"kernel__type": "rbf", "kernel__length_scale": 3, "training__rate": 0.2}
        k = self.rbf(self.stacked, self.stacked)
        self.follow(self.run_kernel(**rbf), k, 0.2, self.swap, 2 * self.n)
        centring = np.eye(2 * self.n) - 1 / (2 * self.n)
        found = self.run_kernel(**rbf, kernel__centre=True)
        self.follow(found, centring @ k @ centring, 0.2, self.swap, 2 * self.n)

    def test_the_start_has_the_size_of_a_linear_readout(self) -> None:
        found = self.run_kernel(kernel__type="rbf", kernel__length_scale=3, dynamics__alpha=1e-4)
        self.assertAlmostEqual(np.mean(found["initial/outputs"] ** 2) / 1e-8, 1, delta=1e-9)  # k(x, x) = 1

    def test_new_samples(self) -> None:
        """Nothing but the kernel matrix of training and test samples enters: embeddings of test samples that are
        training samples are theirs."""
        path = self.write_pairs(self.first, self.second, self.second[:5], "same.h5")
        for more in ({}, {"kernel__centre": True}, {"kernel__storage": "none"}):
            found = self.run_kernel(kernel__type="laplace", data__path=path, **more)
            for kind in ("measured", "predicted"):
                self.assert_close(found[f"{kind}/test"][-1], found[f"{kind}/embeddings"][-1][1, :5], 1e-10, kind)

    def test_linear_kernel_is_the_linear_model(self) -> None:
        for method in ("flow", "descent"):
            options = {"dynamics__alpha": 1e-4, "training__method": method}
            linear = self.simulate(self.of_pairs(model="linear", **options))
            kernel = self.simulate(self.of_pairs(model="kernel", kernel__type="linear", **options))
            # Where the integrator steps differ, so do the results, by its tolerance.
            tolerance = 1e-9 if method == "descent" else 1e-6
            for name in ("time", "measured/lambda", "measured/loss", "predicted/lambda"):
                self.assert_close(kernel[name], linear[name], tolerance, f"{method}: {name}", scale=1)
            for name in ("measured/embeddings", "measured/test", "initial/outputs"):
                self.assert_close(kernel[name], linear[name], tolerance, f"{method}: {name}")

    def test_storage(self) -> None:
        reference = self.run_kernel(kernel__type="ntk")
        for storage, tolerance in (("single", 2e-5), ("none", 1e-9)):
            found = self.run_kernel(kernel__type="ntk", kernel__storage=storage)
            for name in ("measured/lambda", "measured/embeddings", "measured/test", "predicted/embeddings"):
                self.assert_close(found[name], reference[name], tolerance, f"{storage}: {name}")

    def test_storage_from_small_weights(self) -> None:
        """Training amplifies rounding as it does the initial weights: none multiplies in double, single warns."""
        options = self.of_pairs(kernel__type="rbf", kernel__length_scale=3, record__embeddings=0,
                                training__tolerance=1e-8, record__points=100, record__spacing="linear")
        reference = self.simulate({**options, "dynamics.alpha": 1e-8})
        found = self.simulate({**options, "dynamics.alpha": 1e-8, "kernel.storage": "none"})
        self.assert_close(found["measured/lambda"], reference["measured/lambda"], 1e-6, "lambda", scale=1)
        for storage, alpha, warned in (("single", 1e-8, True), ("single", 1e-3, False), ("none", 1e-8, False)):
            run = launch(["simulate", *options_of({**options, "kernel.storage": storage, "dynamics.alpha": alpha}),
                          "--output", self.folder / f"{storage}{alpha}.h5"])
            self.assertEqual(run.code, DONE, str(run))
            self.assertEqual("--kernel.storage single rounds" in run.stderr, warned, str(run))

    def test_three_views_and_two_modalities(self) -> None:
        views = [*make_pairs(9, 5)[:2], make_pairs(9, 5, seed=2)[0]]
        path = self.write_pairs(views[0], views[1], name="three.h5", view_c=views[2])
        x = np.concatenate(views)
        pairing = np.kron(np.ones((3, 3)) - np.eye(3), np.eye(9))
        found = self.run_kernel(kernel__type="linear", data__path=path, training__rate=1e-3)
        self.follow(found, x @ x.T, 1e-3, pairing, 54)
        found = self.run_kernel(kernel__type="linear", data__multimodal=True, training__rate=1e-3, modes=2,
                                data__test=0)
        k = self.stacked @ self.stacked.T
        k[:self.n, self.n:] = 0
        k[self.n:, :self.n] = 0
        self.follow(found, k, 1e-3, self.swap, 2 * self.n)

    def test_stored_kernel(self) -> None:
        kernel = self.folder / "kernel.h5"
        words = ["--data.source", "hdf5", "--data.path", self.path, "--kernel.type", "rbf"]
        run = launch(["kernel", *words, "--output", kernel])
        self.assertEqual(run.code, DONE, str(run))
        options = {"model": "kernel", "modes": 3, "dynamics.alpha": 1e-3}
        direct = self.simulate(self.of_pairs(kernel__type="rbf", dynamics__alpha=1e-3))
        stored = self.simulate({**options, "kernel.type": "precomputed", "kernel.path": kernel})
        for name in ("measured/lambda", "measured/embeddings", "predicted/lambda"):
            self.assert_close(stored[name], direct[name], 1e-7, name)
        self.assertEqual("measured/test" in stored, "test" in self.names(kernel, "kernel"))

    def names(self, path: Path, group: str) -> list[str]:
        with h5py.File(path, "r") as file:
            return list(file[group])

    def test_given_outputs(self) -> None:
        options = {"kernel__type": "rbf", "dynamics__alpha": 1e-3, "data__test": 0}
        drawn = self.simulate(self.of_pairs(**options))
        with h5py.File(self.folder / "f0.h5", "w") as file:
            file["f0"] = drawn["initial/outputs"].reshape(-1, 3)
        given = self.simulate(self.of_pairs(**options, training__start=f"{self.folder / 'f0.h5'}:/f0"))
        for name in ("initial/s0", "measured/lambda", "measured/embeddings"):
            self.assert_close(given[name], drawn[name], 1e-12, name)


class Others(Simulation):
    def test_the_system_follows_its_formulas(self) -> None:
        """Paper Fig. 6: s_j on the diagonal; a_jk(0) (s_j(t)/s_j(0))^(gamma_k/gamma_j) above it; nothing below."""
        found = self.simulate({"preset": "modes", "training.tolerance": 1e-12, "seed": 5})
        a, predicted, g = found["measured/a"], found["predicted/a"], found["spectrum/gamma"]
        np.testing.assert_array_equal(g, 2.0 ** -np.arange(1, 6))
        self.assertEqual(a.shape[1:], (3, 5))
        for j in range(3):
            s = np.sqrt(found["predicted/lambda"][:, j] / g[j])
            self.assert_close(predicted[:, j, j], s, 1e-12, "s")
            self.assert_relative(a[:, j, j], s, 1e-4, "a_jj")
            before = found["time"] < found["timescales/half_rise"][min(j + 1, 2)] * 0.8
            for k in range(j + 1, 5):
                formula = a[0, j, k] * (s / s[0]) ** (g[k] / g[j])
                self.assert_relative(predicted[:, j, k], formula, 1e-9, "formula")
                self.assert_relative(a[before, j, k], formula[before], 2e-3, f"a_{j}{k}")
            self.assertLess(np.abs(a[:, j, :j]).max(initial=0), 1e-3)
        np.testing.assert_allclose(a[0], predicted[0], rtol=1e-14)

    def test_large_initial_weights(self) -> None:
        """What starts at 1/2 or above has no rise: a dash, and a warning."""
        for more in ({}, {"training.method": "descent"}):
            output = self.folder / "large.h5"
            run = launch(["simulate", *options_of({"preset": "modes", "dynamics.alpha": 2, **more}), "--force",
                          "--output", output])
            self.assertEqual(run.code, DONE, str(run))
            self.assertRegex(run.stderr, r"warning: \d of 3 modes start at lambda = 1/2 or above.*alpha is 2")
            self.assertNotIn("nan", run.stdout + run.stderr)
            self.assertRegex(run.stdout, r"\n +1 +0\.5 +- +- ")
            with h5py.File(output) as file:
                large = file["predicted/lambda"][0] >= 0.5
                np.testing.assert_array_equal(np.isnan(file["timescales/half_rise"][()]), large)
            self.assertTrue(large.any())

    def test_rates_that_training_does_not_go_with(self) -> None:
        system = {"preset": "modes", "training.method": "descent"}
        labels = self.write_pairs(self.first, self.second, name="labels.h5", labels=np.arange(self.n) % 3)
        supervised = {"model": "supervised", "kernel.type": "polynomial", "data.source": "hdf5", "data.path": labels,
                      "modes": 2, "training.method": "descent"}
        for options, message in (
                ({**system, "training.rate": 1e-12}, r"rate 1e-12 needs \d.*e\+13 steps to time .* --training.steps"),
                ({**system, "training.rate": 1e-30}, r"rate 1e-30 needs \d.*e\+31 steps to time .* --training.steps"),
                ({**system, "training.time": 1e20}, r"needs \d.*e\+21 steps to time 1e\+20"),
                ({**system, "training.rate": 0.1, "training.time": 1e-5}, r"rate 0.1 is longer than the training"),
                ({**system, "training.rate": 1.1}, r"above twice the largest stable rate, 1 / \(4 gamma_1\) = 0.5:"),
                ({**system, "training.rate": 1e9}, r"above twice the largest stable rate, 1 / \(4 gamma_1\) = 0.5:"),
                (self.of_pairs(kernel__type="rbf", training__method="descent", training__rate=1e9),
                 r"above twice the largest stable rate, 1 / \(4 gamma_1\) = "),
                ({**supervised, "training.rate": 1e9}, r"above twice the largest stable rate, 2 N / lambda_1 = "),
                ({**supervised, "training.rate": 1e-30}, r"rate 1e-30 needs ")):
            output = self.folder / "refused.h5"
            run = launch(["simulate", *options_of(options), "--output", output])
            self.assertEqual(run.code, INPUT, str(run))
            self.assertRegex("\n".join(run.messages), message)
            self.assertFalse(output.exists() or Path(f"{output}.partial").exists())
        run = launch(["simulate", *options_of({**system, "training.rate": 0.6}), "--output", self.folder / "warned.h5"])
        self.assertEqual(run.code, DONE, str(run))
        self.assertIn("above the largest stable rate", run.stderr)

    def test_many_steps_can_be_stopped_before_they_start(self) -> None:
        run = launch(["simulate", *options_of({"preset": "modes", "training.method": "descent", "training.rate": 1e-12,
                                               "training.steps": 10**15, "max-walltime": "00:00:01"}),
                      "--output", self.folder / "stopped.h5"], 2)
        self.assertEqual(run.code, 75, str(run))

    def test_supervised_training(self) -> None:
        labels = np.arange(self.n) % 3
        path = self.write_pairs(self.first, self.second, name="labels.h5", labels=labels)
        k = (self.stacked @ self.stacked.T / 6 + 1) ** 3
        size = 2 * self.n
        values, vectors = np.linalg.eigh(k)
        values, vectors = values[::-1], vectors[:, ::-1]
        y = np.concatenate([labels, labels])[:, None] == np.arange(3)
        y = y - 1 / 3
        for method in ("flow", "descent"):
            found = self.simulate({"model": "supervised", "kernel.type": "polynomial", "data.source": "hdf5",
                                   "data.path": path, "modes": 4, "dynamics.alpha": 0.1, "record.points": 50,
                                   "training.method": method})
            self.assert_close(found["supervised/eigenvalues"], values, 1e-9, "eigenvalues")
            self.assert_close(found["supervised/label_alignment"], ((vectors.T @ y) ** 2).sum(axis=1), 1e-6, "alignment")
            complexity = np.sqrt(2 * np.trace(y.T @ np.linalg.solve(k, y)) / size)
            self.assertAlmostEqual(found["supervised/complexity"] / complexity, 1, delta=1e-5)
            f0 = found["initial/outputs"].reshape(-1, 3)
            rate = 2 * size / values[0] / 20
            for i, time in enumerate(found["time"]):
                if method == "flow":
                    decay = np.exp(-values * time / size)
                else:
                    decay = (1 - rate * values / size) ** found["step"][i]
                residual = decay[:, None] * (vectors.T @ (f0 - y))
                loss = (residual**2).sum() / (2 * size)
                self.assert_close(found["predicted/loss"][i], loss, 1e-8, "predicted loss")
                self.assert_close(found["measured/loss"][i], loss, 1e-6, "measured loss")
                self.assert_close(found["measured/residual"][i], np.linalg.norm(residual[:4], axis=1), 1e-5, "residual",
                                  scale=1)
            f = y + vectors @ residual
            self.assert_close(found["measured/outputs"][-1].reshape(-1, 3), f, 1e-5, "outputs")
            self.assertLess(found["difference/outputs"].max(), 1e-5)

    def test_ranks_change_nothing(self) -> None:
        for model, more in (("linear", {}), ("kernel", {"kernel__type": "ntk"}), ("modes", None)):
            options = {"preset": "modes"} if more is None else self.of_pairs(model=model, dynamics__alpha=1e-3,
                                                                             training__method="descent", **more)
            one = self.simulate(options)
            for ranks in (2, 4):
                many = self.simulate(options, ranks)
                self.assertEqual(set(one), set(many))
                for name in one:
                    if not name.startswith(("difference", "timescales")):
                        self.assert_close(many[name], one[name], 1e-8, f"{model} on {ranks} ranks: {name}",
                                          scale=max(1e-3, np.max(np.abs(one[name]))))

    def test_the_file_describes_itself(self) -> None:
        path = self.simulate_file(self.of_pairs(model="linear", training__loss="plain,quartic"))
        with h5py.File(path, "r") as file:
            def visit(name: str, item: object) -> None:
                if isinstance(item, h5py.Dataset):
                    self.assertTrue(item.attrs["units"] and item.attrs["description"], name)
                    for dimension in item.dims if not h5py.h5ds.is_scale(item.id) else []:
                        self.assertEqual(len(dimension), 1, name)

            file.visititems(visit)
            self.assertEqual(file["quartic/measured/lambda"].dims[0][0].name, "/quartic/time")
            again = self.folder / "again.ini"
            again.write_text(file.attrs["configuration"])
            before = file["quartic/measured/lambda"][()]
        run = launch(["simulate", "--config", again, "--output", self.folder / "again.h5"])
        self.assertEqual(run.code, DONE, str(run))
        with h5py.File(self.folder / "again.h5", "r") as file:
            np.testing.assert_array_equal(file["quartic/measured/lambda"][()], before)


if __name__ == "__main__":
    unittest.main()
