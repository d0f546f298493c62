#!/usr/bin/env python3
"""run.py MODULE...: runs unittest modules of this folder for ctest.

Every skipped test prints a line "SKIP: test: reason"; exit code 77 when nothing ran because everything was skipped.
"""
import sys
import unittest
from pathlib import Path

sys.dont_write_bytecode = True  # the sources may be read-only, and stay clean
sys.path.insert(0, str(Path(__file__).resolve().parent))


def main(modules: list[str]) -> int:
    suite = unittest.defaultTestLoader.loadTestsFromNames(modules)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    for test, reason in result.skipped:
        print(f"SKIP: {test}: {reason}")
    if not result.wasSuccessful():
        return 1
    return 77 if result.testsRun == 0 or len(result.skipped) >= result.testsRun else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
