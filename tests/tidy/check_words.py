"""Words that do not belong here: throw and assert (Result and check instead), notes of unfinished work, sleeping tests."""
import re

import tidy

# In code, comments and strings apart.
IN_CODE = (
    (re.compile(r"(?<![\w.])assert\s*\("), "use check() of base/check.h, which is on in every build"),
)
# Not in tests, which may play a library that throws. CLI11 is told of a bad value by its own exception, and an allocator
# that a library calls has but one way to say no.
IN_PRODUCT_CODE = (
    (re.compile(r"\bthrow\b(?!\s+(?:CLI::|std::bad_alloc\(\)))"), "failures are Results: nothing is thrown"),
)
IN_TEST_CODE = (
    (
        re.compile(r"\b(?:sleep_for|sleep_until|usleep|nanosleep|sleep)\s*\("),
        "tests do not sleep: use a Gate or a FakeClock",
    ),
)
# Anywhere. Written so that this file does not find itself.
ANYWHERE = ((re.compile(r"\b(?:TO" r"DO|FIX" r"ME|X" r"XX)\b"), "finish it, or write an issue"),)


def check(path, text):
    rules = [(text, pattern, message) for pattern, message in ANYWHERE]
    if tidy.is_cpp(path):
        code = tidy.code_of(text)
        in_code = IN_CODE + (IN_TEST_CODE if path.startswith("tests/") else IN_PRODUCT_CODE)
        rules += [(code, pattern, message) for pattern, message in in_code]
    for searched, pattern, message in rules:
        for match in pattern.finditer(searched):
            yield tidy.line_of(searched, match.start()), message


SAMPLES = [
    ("base/good.cpp", 'static_assert(sizeof(int) == 4);\n// never throws; assert(it)\nsay("throw");\n', []),
    ("cli/good.cpp", "throw CLI::ValidationError(message);\n", []),
    ("store/good.cpp", "throw std::bad_alloc();\n", []),
    ("tests/good.cpp", "throw std::runtime_error(message);\n", []),
    ("remote/good.cpp", "std::this_thread::sleep_for(a);\n", []),
    ("base/bad.cpp", "void f() {\n  throw 1;\n}\n", [2]),
    ("base/bad.h", "/* two\nlines */ assert (a);\n", [2]),
    ("store/bad.cpp", "// TO" "DO: later\nint a; /* FIX" "ME */\n", [1, 2]),
    ("tests/bad.py", "# TO" "DO\n", [1]),
    ("tests/unit/bad.cpp", "std::this_thread::sleep_for(a);\nusleep(5);\n::sleep(1);\n", [1, 2, 3]),
]

if __name__ == "__main__":
    tidy.main(check, SAMPLES)
