"""No circle of includes, a header and its source taken as one: x.h with x.cpp."""
import collections
import re

import tidy

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"\n]+)"', re.MULTILINE)


def unit_of(path):
    return path.rpartition(".")[0]


def includes_of(files):
    """For each unit, the units that it includes and where: {unit: {included: (path, line)}}."""
    sources = {unit_of(path): {} for path, _ in files if tidy.is_cpp(path)}
    for path, text in files:
        if not tidy.is_cpp(path):
            continue
        for include in _INCLUDE.finditer(text):
            included = unit_of(include.group(1))
            if included in sources and included != unit_of(path):
                sources[unit_of(path)].setdefault(included, (path, tidy.line_of(text, include.start())))
    return sources


def shortest_circle(includes, start):
    """[start, …, start] along includes, or None."""
    came_from = {}
    waiting = collections.deque([start])
    while waiting:
        unit = waiting.popleft()
        for included in includes[unit]:
            if included == start:
                circle = [start]
                while unit != start:
                    circle.append(unit)
                    unit = came_from[unit]
                return [start, *reversed(circle)]
            if included not in came_from:
                came_from[included] = unit
                waiting.append(included)
    return None


def check(files):
    includes = includes_of(files)
    named = set()
    for start in sorted(includes):
        circle = None if start in named else shortest_circle(includes, start)
        if circle:
            named.update(circle)
            yield *includes[start][circle[1]], "a circle of includes: " + " -> ".join(circle)


def _includes(*headers):
    return "".join(f'#include "{header}"\n' for header in headers)


SAMPLES = [
    ([("base/a.h", "#include <b.h>\n"), ("base/a.cpp", _includes("base/a.h", "base/b.h")),
      ("base/b.h", "// #include \"base/a.h\"\n"), ("tests/a_test.cpp", _includes("base/a.h", "base/c.h"))], []),
    ([("base/a.h", _includes("base/b.h", "base/c.h")), ("base/b.h", _includes("base/c.h")), ("base/c.h", "")], []),
    ([("base/a.h", _includes("base/b.h")), ("base/b.h", "\n" + _includes("base/a.h"))], [("base/a.h", 1)]),
    ([("fs/a.h", ""), ("fs/a.cpp", _includes("fs/a.h", "fs/b.h")), ("fs/b.h", _includes("fs/a.h"))],
     [("fs/a.cpp", 2)]),
    ([("fs/a.h", _includes("fs/b.h")), ("fs/b.cpp", _includes("fs/c.h")), ("fs/b.h", ""),
      ("fs/c.h", "class C;\n" + _includes("fs/d.h")), ("fs/d.h", _includes("fs/b.h")),
      ("cli/x.h", _includes("cli/y.h")), ("cli/y.h", _includes("cli/x.h"))], [("cli/x.h", 1), ("fs/b.cpp", 1)]),
]

if __name__ == "__main__":
    tidy.main_of_tree(check, SAMPLES)
