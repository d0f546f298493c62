"""Every file as it is in xarray, netCDF's ncdump and h5py: named dimensions, coordinates, units."""
from __future__ import annotations

import importlib.util
import shutil
import subprocess
import unittest
from pathlib import Path

import h5py
import numpy as np

from support import DONE, ProgramTest, launch, make_pairs

HAS_XARRAY = all(importlib.util.find_spec(name) is not None for name in ("xarray", "h5netcdf"))


class OpensElsewhere(ProgramTest):
    def files(self) -> list[Path]:
        first, second, test = make_pairs(10, 4, 3)
        data = self.write_pairs(first, second, test, labels=np.arange(10), test_labels=np.arange(3))
        options = {"data.source": "hdf5", "data.path": data, "data.standardize": True, "modes": 2, "dynamics.points": 7}
        saved = self.solve_file({**options, "solver.method": "spectral", "output.kernel": True,
                                 "output.eigenvectors": True, "output.compression": 1}, ranks=2)
        krylov = self.solve_file({**options, "solver.method": "krylov", "solver.check": True})
        alone = self.solve_file({**options, "modes": "all"})
        images = self.solve_file({"data.pairs": 8, "data.test": 2, "modes": 2, "views.count": 3})
        new, kernel, aligned = (self.folder / name for name in ("new.h5", "kernel.h5", "aligned.h5"))
        for words in (["embed", "--model", saved, "--data.path", data, "--output", new],
                      ["kernel", "--data.source", "hdf5", "--data.path", data, "--precision", "single", "--output", kernel],
                      ["align", saved, krylov, "--output", aligned]):
            run = launch(words)
            self.assertEqual(run.code, DONE, str(run))
        return [saved, krylov, alone, images, new, kernel, aligned]

    @unittest.skipUnless(HAS_XARRAY, "no xarray (Debian: python3-xarray python3-h5netcdf)")
    def test_xarray(self) -> None:
        import xarray
        for path in self.files():
            with h5py.File(path) as file:
                groups = [None, *(name for name in file if isinstance(file[name], h5py.Group))]
                for group in groups:
                    with self.subTest(path.name, group=group), \
                            xarray.open_dataset(path, group=group, engine="h5netcdf") as opened:
                        self.assertEqual(set(opened.variables), set(file[group or "/"]) - set(groups))
                        for name, variable in opened.variables.items():
                            dataset = file[group or "/"][name]
                            self.assertEqual(variable.attrs["units"], dataset.attrs["units"])
                            self.assertEqual(variable.attrs["description"], dataset.attrs["description"])
                            self.assertTrue(set(variable.dims) <= set(opened.coords), f"{name}: {variable.dims}")
                            if dataset.dtype.kind in "fi":
                                np.testing.assert_array_equal(variable.values, dataset[()])

    @unittest.skipUnless(HAS_XARRAY, "no xarray (Debian: python3-xarray python3-h5netcdf)")
    def test_what_one_does_with_it(self) -> None:
        import xarray
        path = self.files()[0]
        times = xarray.open_dataset(path, group="timescales", engine="h5netcdf")
        dynamics = xarray.open_dataset(path, group="dynamics", engine="h5netcdf")
        embeddings = xarray.open_dataset(path, group="embeddings", engine="h5netcdf")
        with h5py.File(path) as file:
            self.assertEqual(float(times.tau.sel(mode=2)), file["timescales/tau"][1])
            late = dynamics["lambda"].sel(mode=1).sel(time=1e300, method="nearest")
            self.assertEqual(float(late), file["dynamics/lambda"][-1, 0])
            np.testing.assert_array_equal(embeddings.train.sel(view=1, pair=3), file["embeddings/train"][1, 3])
        self.assertEqual(embeddings.train.dims, ("view", "pair", "mode"))

    @unittest.skipIf(shutil.which("ncdump") is None, "no ncdump (Debian: netcdf-bin)")
    def test_ncdump(self) -> None:
        for path in self.files():
            shown = subprocess.run(["ncdump", "-h", path], capture_output=True, text=True)
            self.assertEqual((shown.returncode, shown.stderr), (0, ""), path.name)
            self.assertNotIn("phony_dim", shown.stdout)
            self.assertIn(":units = ", shown.stdout)
            self.assertIn(":schema_name = ", shown.stdout)


if __name__ == "__main__":
    unittest.main()
