"""What the checks share: the tree's files, C++ without its comments and strings, and the command line.

A check is a function check(path, text) that yields (line, message) for one file, and samples [(path, text, lines)] with
the lines it must complain about, none for a good one. tidy.main(check, samples) makes a program of them:

    check_x.py ROOT         prints FILE:LINE: message for each finding; exits with 1 if there are any
    check_x.py --self-test  runs the samples instead

A check that needs all files at once is check(files), files being [(path, text)], that yields (path, line, message), and
samples [(files, [(path, line)])]. tidy.main_of_tree(check, samples) makes a program of them.
"""
import pathlib
import re
import sys

FOLDERS = ("base", "remote", "cache", "store", "fs", "daemon", "cli", "tests")
PRODUCT = FOLDERS[:-1]
CPP_SUFFIXES = (".h", ".hpp", ".hh", ".cpp", ".cc", ".cxx")

_SKIPPED = re.compile(
    r"""//[^\n]*(?:\\\n[^\n]*)*            # a comment to the end of its line
      | /\*.*?\*/                          # a comment of any length
      | R"(?P<mark>[^\s()\\]{0,16})\(.*?\)(?P=mark)"  # a raw string
      | "(?:\\.|[^"\\\n])*"                # a string
      | (?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'  # a character, not the ' in 1'000
    """,
    re.DOTALL | re.VERBOSE,
)


def code_of(text):
    """`text` with comments, strings and characters blanked; every line stays where it is."""

    def blank(match):
        found = match.group()
        kept = '""' if found[0] in "\"'R" else ""
        return kept + "\n" * found.count("\n")

    return _SKIPPED.sub(blank, text)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def is_cpp(path):
    return path.endswith(CPP_SUFFIXES)


def files_below(root):
    """(path relative to root, text) of every C++ and Python source of ours."""
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in CPP_SUFFIXES + (".py",) and path.is_file():
                yield path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")


def in_product(path):
    return path.startswith(tuple(folder + "/" for folder in PRODUCT))


def each_file(check):
    """The check of a tree that `check`, of one file, is."""
    return lambda files: ((path, line, message) for path, text in files for line, message in check(path, text))


def check_tree(check, root):
    findings = 0
    for path, line, message in check(list(files_below(pathlib.Path(root)))):
        print(f"{path}:{line}: {message}")
        findings += 1
    return findings


def self_test(check, samples):
    failures = 0
    for files, expected in samples:
        found = [(path, line) for path, line, _ in check(files)]
        if found != expected:
            print(f"complained about {found}, not {expected}:")
            for path, text in files:
                print(f"{path}:\n{text}")
            failures += 1
    assert any(expected for _, expected in samples), "a check needs a sample that it finds fault with"
    return failures


def main_of_tree(check, samples):
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} ROOT | --self-test")
    bad = self_test(check, samples) if sys.argv[1] == "--self-test" else check_tree(check, sys.argv[1])
    sys.exit(1 if bad else 0)


def main(check, samples):
    of_tree = [([(path, text)], [(path, line) for line in lines]) for path, text, lines in samples]
    main_of_tree(each_file(check), of_tree)
