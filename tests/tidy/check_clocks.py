"""Only base/ asks the machine for the time, and sleeps: everybody else has a Clock, a RequestContext and base/wait.h."""
import re

import tidy

_CLOCKS = re.compile(
    r"\b(?:(?:steady|system|high_resolution)_clock::now|clock_gettime|gettimeofday)\s*\("
    r"|(?<![\w.>:])(?:std::|::)?time\s*\(\s*(?:nullptr|NULL|0|&)"
)
_SLEEPS = re.compile(r"\b(?:sleep_for|sleep_until|usleep|nanosleep|clock_nanosleep)\s*\(|(?<![\w.>:])(?:::)?sleep\s*\(")


def check(path, text):
    if not tidy.is_cpp(path) or not tidy.in_product(path) or path.startswith("base/"):
        return
    code = tidy.code_of(text)
    for pattern, message in (
        (_CLOCKS, "ask a Clock: a test, or a simulation, has its own"),
        (_SLEEPS, "wait with base/wait.h, which ends with its context"),
    ):
        for match in pattern.finditer(code):
            yield tidy.line_of(code, match.start()), message


SAMPLES = [
    ("base/clock.cpp", "return std::chrono::steady_clock::now();\n", []),
    ("tests/unit/good.cpp", "auto start = std::chrono::steady_clock::now();\n", []),
    ("fs/good.cpp", "// not steady_clock::now()\nclock.steady_now();\nstd::chrono::steady_clock::duration a;\n"
     "published.time(nothing);\nreal_time(0);\nfreed_.wait_until(lock, context);\n", []),
    ("cli/bad.cpp", "auto a = std::chrono::steady_clock::now();\nauto b = system_clock::now ();\n", [1, 2]),
    ("store/bad.h", "::clock_gettime(CLOCK_REALTIME, &a);\nstd::time(nullptr);\ntime(0);\n", [1, 2, 3]),
    ("remote/bad.cpp", "std::this_thread::sleep_for(a);\n::sleep(1);\n::usleep(5);\n", [1, 2, 3]),
]

if __name__ == "__main__":
    tidy.main(check, SAMPLES)
