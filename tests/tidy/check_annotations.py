"""What a mutex guards is said to clang (CAIRN_GUARDED_BY), not in a comment; std's mutexes and threads stay in base/."""
import re

import tidy

# `guarded by its owner` is what a class's comment says of the whole class.
_COMMENT = re.compile(r"\bguarded(?:\s|//)+by\b(?! its owner\b)", re.IGNORECASE)
_RAW = re.compile(
    r"\bstd::(?:(?:recursive_|timed_|recursive_timed_|shared_|shared_timed_)?mutex|condition_variable(?:_any)?"
    r"|lock_guard|unique_lock|scoped_lock|shared_lock|jthread|thread(?!\s*::)|async|packaged_task|promise"
    r"|(?:shared_)?future|latch|barrier|(?:counting|binary)_semaphore)\b"
)
_WRAPPERS = re.compile(r"base/(?:mutex|wait|thread)\.(?:h|cpp)")
_MUTEX = re.compile(
    r"^[ \t]*(?:(?:mutable|static|inline)[ \t]+)*(?:Shared)?Mutex[ \t]+(\w+)[^;\n(]*(?:\([^;\n]*\))?[ \t]*;",
    re.MULTILINE,
)
_ORDERS = re.compile(r"//.*\borders\b")
_OWNER = re.compile(r"\b(?:class|struct|union|namespace)\b[^;{}]*$")


def scope_of(code, position):
    """What comes before the innermost braces around `position` since the last statement, and what is in them."""
    depth, start = 0, position
    while start > 0 and depth >= 0:
        start -= 1
        depth += (code[start] == "}") - (code[start] == "{")
    if depth >= 0:
        return "namespace", code  # of the file
    depth, end = 1, start + 1
    while end < len(code) and depth:
        depth += (code[end] == "{") - (code[end] == "}")
        end += 1
    return re.split(r"[;{}]", code[:start])[-1], code[start:end]


def guards_nothing(code, member):
    header, scope = scope_of(code, member.start())
    if not _OWNER.search(header):
        return False  # a function's own
    return not re.search(r"\bCAIRN_(?:PT_)?GUARDED_BY\(\s*" + member.group(1) + r"\s*\)", scope)


def check(path, text):
    product = tidy.in_product(path)
    if not tidy.is_cpp(path) or not (product or path.startswith("tests/support/")):
        return
    for comment in _COMMENT.finditer(text):
        yield tidy.line_of(text, comment.start()), "say it with CAIRN_GUARDED_BY: clang then checks it"
    if not product:
        return
    code = tidy.code_of(text)
    if not _WRAPPERS.fullmatch(path):
        for raw in _RAW.finditer(code):
            yield tidy.line_of(code, raw.start()), f"{raw.group()}: use base/mutex.h, base/wait.h or base/thread.h"
    lines = text.split("\n")
    for member in _MUTEX.finditer(code):
        line = tidy.line_of(code, member.start())
        if guards_nothing(code, member) and not _ORDERS.search(lines[line - 1]):
            yield line, f"{member.group(1)} guards no member: CAIRN_GUARDED_BY one, or `// orders …` what it is for"


SAMPLES = [
    ("cache/good.h", "class A {\n  struct B {\n    int b CAIRN_GUARDED_BY(mutex_);\n  };\n  mutable Mutex mutex_;\n"
     "  int a_ CAIRN_GUARDED_BY(mutex_) = 0;\n};\n", []),
    ("cache/order.h", "struct A {\n  Mutex turns_;  // orders the writers of the file\n};\n", []),
    ("cache/gate.h", "class A : public B<int(int)> {\n  SharedMutex gate_ CAIRN_ACQUIRED_BEFORE(m_);\n"
     "  P p_ CAIRN_GUARDED_BY(gate_);\n};\n", []),
    ("fs/local.cpp", "void f() {\n  Mutex mutex;\n  std::this_thread::yield();\n}\n", []),
    ("fs/count.cpp", "// std::mutex, as before\nunsigned n = std::thread::hardware_concurrency();\n", []),
    ("base/mutex.h", "class Mutex {\n  std::mutex mutex_;\n};\n// Thread-safety: none; guarded by its owner.\n", []),
    ("base/log.cpp", "std::mutex a;\n", [1]),
    ("tests/unit/good.cpp", "std::mutex m;\nint a;  // guarded by m\n", []),
    ("tests/support/bad.h", "std::mutex m;\nint a;  // Guarded by m\n", [2]),
    ("base/bad.h", "int a;  // guarded by mutex_\nint b;  // is guarded\n// by mutex_\n", [1, 2]),
    ("store/bad.cpp", "std::mutex a;\nstd::unique_lock lock(a);\nstd::condition_variable_any b;\nstd::jthread c;\n"
     "std::vector<std::thread> d;\nstd::promise<int> e;\n", [1, 2, 3, 4, 5, 6]),
    ("store/nothing.h", "class A {\n  void f() { g(); }\n  Mutex mutex_;\n  int a_;\n};\n", [3]),
    ("store/other.h", "class A {\n  Mutex a_;\n};\nclass B {\n  Mutex a_;\n  int b_ CAIRN_GUARDED_BY(a_);\n};\n", [2]),
    ("store/global.cpp", "namespace {\nMutex names;\nMutex all;\nint n CAIRN_GUARDED_BY(all);\n}\n", [2]),
]

if __name__ == "__main__":
    tidy.main(check, SAMPLES)
