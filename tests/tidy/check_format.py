"""C++ looks the way clang-format, told by .clang-format, writes it."""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import tidy

SKIPPED = 77  # for ctest
CLANG_FORMAT = shutil.which("clang-format-14") or shutil.which("clang-format")
_DIAGNOSTIC = re.compile(r"^(.*?):(\d+):\d+: (?:error|warning): (.*)$", re.MULTILINE)


def findings(root, paths):
    """(path, line, message) for every difference in `paths`, which are relative to `root`."""
    command = [CLANG_FORMAT, "--style=file", "--dry-run", "--Werror", *paths]
    run = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    found = [(path, int(line), message) for path, line, message in _DIAGNOSTIC.findall(run.stderr)]
    if run.returncode != 0 and not found:
        sys.exit(f"clang-format failed: {run.stderr}")
    return found


def check_tree(root):
    paths = [path for path, _ in tidy.files_below(root) if tidy.is_cpp(path)]
    found = findings(root, paths)
    for path, line, message in found:
        print(f"{path}:{line}: {message}")
    return bool(found)


def self_test():
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        (root / ".clang-format").write_text("BasedOnStyle: Google\n", encoding="utf-8")
        (root / "good.cpp").write_text("int a = 1;\n", encoding="utf-8")
        (root / "bad.cpp").write_text("int a = 1;\nint   b=2;\n", encoding="utf-8")
        found = {(path, line) for path, line, _ in findings(root, ["good.cpp", "bad.cpp"])}
    print(f"found {found}")
    return found != {("bad.cpp", 2)}


if __name__ == "__main__":
    if CLANG_FORMAT is None:
        print("clang-format is not installed: `apt install clang-format-14` to check the format here")
        sys.exit(SKIPPED)
    failed = self_test() if sys.argv[1] == "--self-test" else check_tree(pathlib.Path(sys.argv[1]))
    sys.exit(1 if failed else 0)
