"""scripts/export_pytorch.py as docs/from_pytorch.md uses it."""
from __future__ import annotations

import importlib.util
import sys
import unittest
from pathlib import Path

import h5py
import numpy as np

from support import DONE, ProgramTest, launch

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
import export_pytorch  # noqa: E402

HAS_TORCH = importlib.util.find_spec("torch") is not None


class Export(ProgramTest):
    def run_recipe(self, path: Path, modes: int) -> None:
        theory = self.folder / "theory.h5"
        run = launch(["solve", "--kernel.type", "precomputed", "--kernel.path", path, "--modes", modes, "--output", theory])
        self.assertEqual(run.code, DONE, str(run))
        aligned = self.folder / "aligned.h5"
        run = launch(["align", theory, path, "--second-order", "principal", "--kernel", path, "--output", aligned], 2)
        self.assertEqual(run.code, DONE, str(run))
        with h5py.File(aligned) as file:
            self.assertTrue(0 <= file["alignment/overall"][()] <= 1)
            self.assertIn("kernel_overall", file["alignment"])

    def test_a_file_without_torch(self) -> None:
        rng = np.random.default_rng(2)
        features = rng.standard_normal((30, 12))
        path = self.folder / "model.h5"
        export_pytorch.write(path, kernel=features @ features.T, embeddings=features[:, :4].astype("f4"),
                             labels=np.arange(15) % 3)
        with h5py.File(path) as file:
            self.assertEqual(file["kernel/train"].shape, (30, 30))
            self.assertEqual([d[0].name.rsplit("/")[-1] for d in file["embeddings/train"].dims], ["sample", "dimension"])
        self.run_recipe(path, 3)

    def test_what_it_refuses(self) -> None:
        path = self.folder / "bad.h5"
        for arguments in ({"kernel": np.eye(5)}, {"kernel": np.triu(np.ones((4, 4)))}, {},
                          {"kernel": np.eye(4), "embeddings": np.ones((6, 2))},
                          {"embeddings": np.full((4, 1), np.nan)}):
            with self.assertRaises(ValueError):
                export_pytorch.write(path, **arguments)
        self.assertEqual(list(self.folder.iterdir()), [])

    @unittest.skipUnless(HAS_TORCH, "no PyTorch (Debian: python3-torch)")
    def test_a_model(self) -> None:
        import torch
        torch.manual_seed(4)
        model = torch.nn.Sequential(torch.nn.Linear(5, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3)).double()
        samples = torch.randn(2 * 9, 5, dtype=torch.float64)
        kernel = export_pytorch.empirical_ntk(model, samples, block=4)
        (w, b), (v, c) = [(layer.weight.detach().numpy(), layer.bias.detach().numpy()) for layer in (model[0], model[2])]
        x = samples.numpy()
        before = x @ w.T + b
        hidden, slope = np.maximum(before, 0), before > 0
        expected = hidden @ hidden.T + 1  # of the last layer, and its bias
        for output in v:
            back = slope * output
            expected += (back @ back.T) * (x @ x.T + 1) / len(v)
        self.assert_close(kernel, expected, 1e-12, "tangent kernel")
        outputs = export_pytorch.embeddings(model, samples, batch=5)
        self.assert_close(outputs, hidden @ v.T + c, 1e-12, "outputs")
        path = self.folder / "model.h5"
        export_pytorch.write(path, kernel=kernel, embeddings=outputs)
        self.run_recipe(path, 3)


if __name__ == "__main__":
    unittest.main()
