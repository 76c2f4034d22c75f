# SPDX-License-Identifier: MIT
"""The programs of Documentation/python.rst run."""

import pathlib
import re
import subprocess
import sys
import textwrap
import unittest

PAGE = pathlib.Path(__file__).parents[3] / "Documentation/python.rst"


class Documentation(unittest.TestCase):
    def test_programs(self):
        blocks = re.findall(r"^\.\. code-block:: python\n\n((?:    .*\n|\n)+)", PAGE.read_text(),
                            re.M)
        self.assertEqual(len(blocks), 2)
        for block in blocks:
            with self.subTest(block):
                done = subprocess.run([sys.executable, "-W", "error", "-c",
                                       textwrap.dedent(block)], capture_output=True, text=True,
                                      timeout=100, check=False)
                self.assertEqual((done.returncode, done.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main()
