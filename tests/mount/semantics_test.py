"""Runs every example of docs/semantics.md as it stands there."""
import fnmatch
import os
import pathlib
import re
import subprocess

import pytest

from conftest import BINARY

DOCUMENT = pathlib.Path(__file__).parents[2] / "docs" / "semantics.md"
END = "--- end of step"


def examples():
    section = number = None
    for match in re.finditer(r"^## ([^\n]*)$|^```console\n(.*?)^```$", DOCUMENT.read_text(), re.M | re.S):
        if match.group(1):
            section, number = match.group(1), 0
        else:
            number += 1
            yield pytest.param(match.group(2), id=f"{section} ({number})")


def steps(example):
    """[(command, expected output lines)]"""
    found = []
    for line in example.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found


def matches(expected, actual):
    patterns = [re.sub(r"([\[*?])", r"[\1]", line).replace("…", "*") for line in expected]
    return len(patterns) == len(actual) and all(map(fnmatch.fnmatchcase, actual, patterns))


@pytest.mark.parametrize("example", examples())
def test_example_of_semantics_md_prints_what_it_says(example, bench, hosts):
    for mount in hosts:
        (bench.home / f"{mount.path.name}.pid").write_text(str(mount.pid))
    (bench.home / "local").mkdir()
    script = "".join(f"{command}\nprintf '%s\\n' '{END}'\n" for command, _ in steps(example))
    environment = dict(os.environ, PATH=f"{pathlib.Path(BINARY).parent}:{os.environ['PATH']}", LC_ALL="C.UTF-8")
    done = subprocess.run(["bash", "-u"], input=script, cwd=bench.home, env=environment, text=True, timeout=120,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="surrogateescape")
    outputs = done.stdout.split(END + "\n")
    for (command, expected), output in zip(steps(example), outputs):
        assert matches(expected, output.splitlines()), f"$ {command}\n{output}\nexpected:\n" + "\n".join(expected)
    assert len(outputs) == len(steps(example)) + 1, done.stdout


def test_the_document_has_examples_for_most_promises():
    assert len(list(examples())) >= 9
