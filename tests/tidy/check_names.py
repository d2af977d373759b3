"""C++ files are named snake_case.h or snake_case.cpp, and headers say #pragma once before anything else."""
import re

import tidy

_FILE_NAME = re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)*\.(?:h|cpp)")


def check(path, text):
    if not tidy.is_cpp(path):
        return
    name = path.rsplit("/", 1)[-1]
    if not _FILE_NAME.fullmatch(name):
        yield 1, f"{name} is not named snake_case.h or snake_case.cpp"
    if name.endswith(".h") and not tidy.code_of(text).lstrip().startswith("#pragma once"):
        yield 1, "a header begins with #pragma once, after its comment"


SAMPLES = [
    ("base/good_name2.h", "// What it is.\n#pragma once\nint a;\n", []),
    ("base/good.cpp", "int a;\n", []),
    ("base/BadName.cpp", "int a;\n", [1]),
    ("base/bad-name.cpp", "int a;\n", [1]),
    ("base/bad.hpp", "#pragma once\n", [1]),
    ("base/bad.cc", "int a;\n", [1]),
    ("base/bad.h", "// #pragma once\nint a;\n", [1]),
    ("base/late.h", "#include <a>\n#pragma once\n", [1]),
]

if __name__ == "__main__":
    tidy.main(check, SAMPLES)
