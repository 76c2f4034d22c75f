# SPDX-License-Identifier: GPL-2.0-only
"""What the headers say to programs: functions, structures, constants, errors."""

import errno
import os
import re
import subprocess

UAPI = "uapi/linux/ioevq.h"
LIB = "tools/lib/ioevq/include/ioevq.h"
HEADERS = (UAPI, LIB, "tools/lib/ioevq/include/ioevq_pool.h", "tools/compat/aio/ioevq-aio.h")

# Of the headers, but nothing for programs.
PRIVATE = {"IOEVQ_OP__COUNT"}

ERRNOS = set(errno.errorcode.values())


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def errors_in(text):
    """Those that are told of as errors; with a minus it is the result of an event."""
    return {e for e in re.findall(r"(?<![-\w])E[A-Z0-9]+\b", text) if e in ERRNOS}


def one_line(text):
    return re.sub(r"\s*([(),;*{}\[\]])\s*", r"\1", " ".join(text.split()))


def no_comments(text):
    return re.sub(r"/\*.*?\*/", "", text, flags=re.S)


def prototypes():
    """Of the library's functions, by name."""
    found = {}
    for path in HEADERS[1:]:
        text = no_comments(read(path))
        for type_, name, args in re.findall(
                r"^(?:static inline )?((?:typedef )?\w[\w ]*?[ *]+)(\w+)\(([^;{]*?)\)\s*[;{]",
                text, re.M):
            if name.startswith("ioevq_"):
                found[name] = one_line(f"{type_} {name}({args});")
    return found


def structures():
    found = {}
    for path in HEADERS:
        for name, body in re.findall(r"^struct (\w+) \{\n(.*?)^\};", no_comments(read(path)),
                                     re.M | re.S):
            found[name] = one_line(f"struct {name} {{{body}}};")
    return found


def constants(out):
    """All of them with their values as numbers, and the names of macros with an argument."""
    names, macros = [], []
    for path in HEADERS:
        text = no_comments(read(path))
        names += re.findall(r"^\t(IOEVQ_\w+) = ", text, re.M)
        names += re.findall(r"^#define ((?:IOEVQ|SIGEV_IOEVQ)\w*)[ \t]+\S", text, re.M)
        macros += re.findall(r"^#define (IOEVQ_\w+)\(", text, re.M)
    program = "#include <stdio.h>\n"
    program += "".join(f'#include "{os.path.abspath(path)}"\n' for path in HEADERS)
    lines = (f'printf("{n} %llx\\n", (unsigned long long)({n}));\n' for n in names)
    program += "int main(void) {\n" + "".join(lines) + "}\n"
    path = f"{out}/constants"
    includes = [f"-I{d}" for d in ("uapi", "tools/lib/ioevq/include", "tools/compat/aio")]
    subprocess.run(["gcc", "-x", "c", *includes, "-o", path, "-"], input=program, text=True,
                   check=True)
    out = subprocess.run([path], capture_output=True, text=True, check=True).stdout
    values = {n: int(v, 16) for n, v in map(str.split, out.splitlines()) if n not in PRIVATE}
    return values, set(macros)


def comments_of(path):
    """(comment, the first line of what follows it)"""
    return re.findall(r"/\*(?!\s*SPDX)(.*?)\*/\s*\n([^\n]*)", read(path), re.S)


def described():
    """What the interface says of each constant."""
    found = {}
    for comment, _ in comments_of(UAPI):
        for name, text in re.findall(r"^ \* @(IOEVQ_\w+):(.*?)(?=^ \* @|^ \*\s*$|\Z)", comment,
                                     re.M | re.S):
            found[name] = text
    return found


def errors_of_functions():
    """By function: those that the comment above it names. Also of those that follow at once."""
    found = {}
    for path in HEADERS[1:]:
        text = read(path)
        for m in re.finditer(r"/\*(?!\s*SPDX)((?:(?!\*/).)*?)\*/\n((?:[^\n]+\n)+)", text, re.S):
            for name in re.findall(r"\b(ioevq_\w+)\(", no_comments(m[2]).split("{")[0]):
                words = re.sub(r"-(?=E[A-Z])", "", m[1])
                found.setdefault(name, set()).update(errors_in(words))
    return found


def errors_of_ioctls():
    found = set()
    for comment, follows in comments_of(UAPI):
        if re.match(r"struct ioevq_(info|setup|enter|control) ", follows) or not found:
            found |= errors_in(comment)
    return found
