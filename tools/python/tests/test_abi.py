# SPDX-License-Identifier: MIT
"""That ioevq._abi is what the header says."""

import pathlib
import re
import unittest

from ioevq import _abi

HEADER = pathlib.Path(__file__).parents[3] / "uapi/linux/ioevq.h"
# Of structures that the library fills, and of the ring that it reads.
LIBRARY = ("SETUP_", "ENTER_", "CONTROL_", "RING_", "OP__COUNT")


class Abi(unittest.TestCase):
    def setUp(self):
        text = HEADER.read_text()
        self.values = {name: int(value) for name, value in re.findall(
            r"^\tIOEVQ_(\w+) = (\d+)", text, re.M)}
        self.structs = dict(re.findall(r"^struct (ioevq_\w+) \{\n(.*?)^\};", text, re.M | re.S))

    def test_constants(self):
        self.assertGreater(len(self.values), 60)
        for name, value in self.values.items():
            if not name.startswith(LIBRARY):
                self.assertEqual(getattr(_abi, name), value, name)

    def test_no_other_constants(self):
        text = HEADER.read_text()
        for name in _abi.CONSTANTS:
            if name not in ("NO_RESULT", "POSITION", "UNLIMITED"):
                self.assertRegex(text, rf"\bIOEVQ_{name}(\s|$)")

    def fields(self, struct):
        return [name for name in re.findall(r"(\w+)(?:\[\d\])?;", self.structs[struct])]

    def test_structures(self):
        sizes = {"__u32": 4, "__aligned_u64": 8, "__aligned_s64": 8}
        for struct, kind in ("ioevq_enter", _abi.Enter), ("ioevq_info", _abi.Info):
            at = 0
            for type_, name in re.findall(r"(\w+) (\w+);", self.structs[struct]):
                field = getattr(kind, name)
                at = (at + sizes[type_] - 1) // sizes[type_] * sizes[type_]
                self.assertEqual((field.offset, field.size), (at, sizes[type_]), name)
                at += sizes[type_]
            self.assertEqual([name for name, _ in kind._fields_], self.fields(struct))

    def test_sizes(self):
        self.assertEqual((_abi.REQ.size, _abi.EVENT.size), (64, 32))
        self.assertEqual(self.fields("ioevq_req"), [
            "op", "flags", "fd", "user_data", "addr", "off", "len", "op_flags", "op_arg",
            "buf_index", "__reserved"])
        self.assertEqual(self.fields("ioevq_event"), [
            "user_data", "res", "op", "flags", "data"])


if __name__ == "__main__":
    unittest.main()
