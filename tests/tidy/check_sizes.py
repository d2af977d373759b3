"""No file has more than 500 lines, no C++ function more than 70."""
import re

import tidy

MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 70

_DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.MULTILINE)
_TYPE = re.compile(r"\b(?:class|struct|union|enum)\b[^()]*$")
_NAMESPACE = re.compile(r'\bnamespace\b[^()]*$|\bextern\s*""\s*$')
_INITIALISER = re.compile(r"(?:^|[^=!<>+\-*/&|^%])=\s*(?:[^=]|$)")


def without_brackets(header):
    """`header` without what stands in its parentheses: `f(int a = 1) const` is `f() const`."""
    kept, depth = [], 0
    for c in header:
        depth -= c == ")"
        if depth == 0:
            kept.append(c)
        depth += c == "("
    return "".join(kept)


def opens_function(header):
    """Whether a brace after `header`, in a namespace or a class, begins a function's body."""
    if _NAMESPACE.search(header) or _TYPE.search(header):
        return False
    return "operator" in header or not _INITIALISER.search(without_brackets(header))


def functions(text):
    """(first line, last line) of every function's definition, lambdas inside it included."""
    code = tidy.code_of(text)
    code = _DIRECTIVE.sub(lambda match: "\n" * match.group().count("\n"), code)
    parentheses = 0
    header_start = 0
    inner_braces = 0  # open ones inside the function, or inside an initialiser
    function_start = None
    skipped = None  # parentheses open where an expression's braces began
    for position, c in enumerate(code):
        if inner_braces:
            inner_braces += (c == "{") - (c == "}")
            if inner_braces == 0:
                if function_start is not None:
                    yield tidy.line_of(code, function_start), tidy.line_of(code, position)
                if skipped is None:
                    header_start = position + 1
                function_start, skipped = None, None
            continue
        parentheses += (c == "(") - (c == ")")
        if c == "{":
            header = code[header_start:position]
            if parentheses:
                skipped, inner_braces = parentheses, 1
            elif opens_function(header):
                function_start, inner_braces = header_start + len(header) - len(header.lstrip()), 1
            elif _INITIALISER.search(without_brackets(header)) and not _TYPE.search(header):
                inner_braces = 1
            else:
                header_start = position + 1
        elif c in ";}" and not parentheses:
            header_start = position + 1


def check(path, text):
    lines = text.count("\n")
    if lines > MAX_FILE_LINES:
        yield lines, f"the file has {lines} lines, more than {MAX_FILE_LINES}"
    if not tidy.is_cpp(path):
        return
    for first, last in functions(text):
        if last - first + 1 > MAX_FUNCTION_LINES:
            yield first, f"the function has {last - first + 1} lines, more than {MAX_FUNCTION_LINES}"


def _lines(count, line="  work();\n"):
    return line * count


SAMPLES = [
    ("base/good.cpp", "int f() {\n" + _lines(68) + "}\n", []),
    ("base/good.h", "class A {\n" + _lines(100, "  int f() { return 1; }\n") + "};\n", []),
    ("base/table.cpp", "const int kTable[] = {\n" + _lines(100, "  1,\n") + "};\n", []),
    ("base/names.cpp", "namespace a {\n" + _lines(100, "int f(int x = {}) { return x; }\n") + "}\n", []),
    ("base/bad.cpp", "namespace a {\n\nint f() {\n" + _lines(69) + "}\n}\n", [3]),
    ("base/method.h", "class A : public B {\n void f() const override {\n" + _lines(69) + " }\n};\n", [2]),
    ("base/constructor.cpp", "A::A(int a)\n    : a_{a}, b_{1} {\n" + _lines(70) + "}\n", [2]),
    ("base/operator.cpp", "bool operator==(A a, A b) {\n" + _lines(69) + "}\n", [1]),
    ("base/lambda.cpp", "void f(A a = {}) {\n run([&] {\n" + _lines(69) + " });\n}\n", [1]),
    ("tests/bad.cpp", "TEST_F(A, is_long) {\n" + _lines(69) + "}\n", [1]),
    ("base/misleading.cpp", "void f() {\n" + _lines(30, "  g('{', \"{\");  // {\n") + "}\nvoid g() {}\n", []),
    ("base/branches.cpp", "#define BEGIN {\nvoid f() {\n" + _lines(69) + "}\n", [2]),
    ("base/long.cpp", _lines(501, "int a;\n"), [501]),
    ("tests/long.py", _lines(501, "a = 1\n"), [501]),
]

if __name__ == "__main__":
    tidy.main(check, SAMPLES)
