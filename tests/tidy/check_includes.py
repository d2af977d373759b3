"""Includes follow the arrows of docs/architecture.md, and third-party headers stay in the folder that wraps them."""
import re

import tidy

INTERFACES = ("remote/object_store.h", "cache/block_cache.h", "cache/staging_area.h")

# What a folder may include, as beginnings of paths; the longest folder that holds the file counts.
ALLOWED = {
    "base": ("base/",),
    "remote": ("base/", "remote/"),
    "cache": ("base/", "cache/"),
    "store": ("base/", "store/") + INTERFACES,
    "fs": ("base/", "store/", "fs/"),
    "fs/fuse": ("base/", "store/", "fs/"),
    "cli": ("",),
    "tests": ("",),
}

# Headers of others, and the one folder that may know them.
WRAPPED = (
    (re.compile(r"fuse|linux/fuse\.h"), "fs/fuse"),
    (re.compile(r"lmdb\.h"), "cache"),
    (re.compile(r"curl/"), "remote"),
    (re.compile(r"pugixml"), "remote"),
    (re.compile(r"CLI/"), "cli"),
    (re.compile(r"toml\+\+/|toml\.hpp"), "cli"),
    (re.compile(r"google/protobuf/|zstd|zdict"), "store"),
    (re.compile(r"spdlog/"), "base"),
    (re.compile(r"xxhash\.h"), "base"),
    (re.compile(r"tl/expected"), "base"),
)

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.MULTILINE)


def folder_of(path):
    return max((folder for folder in ALLOWED if path.startswith(folder + "/")), key=len, default=None)


def complaint(folder, quote, header):
    if quote == '"':
        if "/" not in header:
            return f'"{header}": includes are written from the root of the tree'
        if not header.startswith(ALLOWED[folder]):
            return f'{folder}/ may not include "{header}"'
        if folder == "fs" and header.startswith("fs/fuse/"):
            return f'fs/ knows no FUSE, so it may not include "{header}"'
        if header.endswith(".pb.h") and folder not in ("store", "tests"):
            return f'"{header}" belongs to store/'
        return None
    for pattern, owner in WRAPPED:
        if pattern.match(header) and folder not in (owner, "tests"):
            return f"<{header}> belongs to {owner}/"
    return None


def check(path, text):
    folder = folder_of(path)
    if folder is None or not tidy.is_cpp(path):
        return
    for include in _INCLUDE.finditer(text):
        message = complaint(folder, include.group(1), include.group(2))
        if message:
            yield tidy.line_of(text, include.start()), message


SAMPLES = [
    ("store/good.cpp", '#include <zstd.h>\n#include "base/error.h"\n#include "remote/object_store.h"\n', []),
    ("fs/fuse/good.cpp", '#include <fuse_lowlevel.h>\n#include "fs/file_system.h"\n', []),
    ("cli/good.cpp", '#include <CLI/CLI.hpp>\n#include "remote/open.h"\n#include "cache/lmdb_block_cache.h"\n', []),
    ("tests/unit/fuse/good.cpp", "#include <linux/fuse.h>\n", []),
    ("base/bad.cpp", '#include "base/error.h"\n#include "remote/open.h"\n', [2]),
    ("remote/bad.cpp", '#include "cache/block_cache.h"\n', [1]),
    ("cache/bad.cpp", '#include "remote/object_store.h"\n', [1]),
    ("store/bad.cpp", '#include "remote/open.h"\n', [1]),
    ("fs/bad.cpp", '#include "cache/block_cache.h"\n#include "fs/fuse/shell.h"\n#include <fuse.h>\n', [1, 2, 3]),
    ("fs/fuse/bad.cpp", '#include "remote/object_store.h"\n', [1]),
    ("store/bad.h", "#include <lmdb.h>\n#include <curl/curl.h>\n#include <spdlog/spdlog.h>\n", [1, 2, 3]),
    ("remote/bad.h", "#include <google/protobuf/message.h>\n# include <CLI/CLI.hpp>\n", [1, 2]),
    ("fs/bad.h", '#include "store/format.pb.h"\n#include "neighbour.h"\n', [1, 2]),
]

if __name__ == "__main__":
    tidy.main(check, SAMPLES)
