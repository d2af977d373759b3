"""Includes follow the arrows of docs/architecture.md, and third-party headers stay in the rooms that wrap them."""
import re

import tidy

OBJECTS = ("remote/object_store.h", "remote/object_operation.h", "remote/object_rules.h")
BLOCKS = ("cache/block_cache.h", "cache/image_cache.h", "cache/staging_area.h")

# What the files of a room may include besides base/ and the room itself, as beginnings of paths. A folder that is not
# listed is a complaint, so that a new room gets its rule with its first file.
ALLOWED = {
    "base": (),
    # At the root the interface, and what chooses among places and puts decorators around them; these two do not know
    # each other.
    "remote": ("remote/",),
    "remote/directory": OBJECTS,
    "remote/http": (),
    "remote/credentials": ("remote/http/",),
    "remote/s3": OBJECTS
    + (
        "remote/http/",
        "remote/credentials/credentials.h",
        "remote/credentials/sigv4.h",
        "remote/credentials/aws_host.h",
    ),
    "remote/decorators": OBJECTS,
    "cache": (),
    "cache/images": (
        "cache/block_cache.h",
        "cache/directory_lock.h",
        "cache/image_cache.h",
        "cache/local_files.h",
        "cache/staging_area.h",
    ),
    # From ground to top. At the root only what all rooms are wired with.
    "store": ("store/format/", "remote/object_store.h") + BLOCKS,
    "store/codec": (),
    "store/segments": (),
    "store/format": ("store/codec/", "remote/object_store.h"),
    "store/chunks": ("store/environment.h", "store/format/", "store/codec/"),
    "store/directories": ("store/environment.h", "store/format/"),
    "store/reading": ("store/environment.h", "store/format/", "store/chunks/"),
    "store/drafts": (
        "store/environment.h",
        "store/format/",
        "store/segments/",
        "store/chunks/",
        "store/reading/",
        "cache/staging_area.h",
    ),
    "store/check": ("store/format/", "store/codec/", "remote/object_store.h"),  # must not trust what it checks
    "fs": ("store/",),
    "fs/fuse": ("store/", "fs/"),
    "daemon": ("remote/", "cache/", "store/", "fs/"),
    "cli": ("remote/", "cache/", "store/", "fs/", "daemon/"),
    "tests": tuple(folder + "/" for folder in tidy.FOLDERS),
}

# Headers of others, and the rooms that may know them. Tests may know all.
WRAPPED = (
    (re.compile(r"fuse|linux/fuse\.h"), ("fs/fuse",)),
    (re.compile(r"lmdb\.h"), ("cache",)),
    (re.compile(r"curl/"), ("remote/http",)),
    (re.compile(r"pugixml"), ("remote/s3", "remote/credentials")),
    (re.compile(r"openssl/"), ("base", "remote/credentials", "remote/s3")),
    (re.compile(r"CLI/"), ("cli",)),
    (re.compile(r"toml\+\+/|toml\.hpp"), ("cli",)),
    (re.compile(r"google/protobuf/"), ("store/format",)),
    (re.compile(r"zstd|zdict"), ("store/codec",)),
    (re.compile(r"spdlog/"), ("base",)),
    (re.compile(r"xxhash\.h"), ("base",)),
    (re.compile(r"tl/expected"), ("base",)),
    # Where JSON comes in or goes out: answers, cairn.format, containers, what is kept beside staged bytes, status.
    (
        re.compile(r"nlohmann/"),
        ("remote/credentials", "store/format", "store/segments", "store/drafts", "fs", "daemon", "cli"),
    ),
    (re.compile(r"gtest|gmock|rapidcheck"), ()),
)

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.MULTILINE)


def room_of(path):
    return "tests" if path.startswith("tests/") else path.rpartition("/")[0]


def complaint(room, quote, header):
    if quote == '"':
        if "/" not in header:
            return f'"{header}": includes are written from the root of the tree'
        own = room_of(header) == room
        if not own and not header.startswith(("base/",) + ALLOWED[room]):
            return f'{room}/ may not include "{header}"'
        if header.endswith(".pb.h") and room not in ("store/format", "tests"):
            return f'"{header}" belongs to store/format/'
        return None
    for pattern, owners in WRAPPED:
        if pattern.match(header) and room not in owners + ("tests",):
            return f"<{header}> belongs to {' and '.join(owner + '/' for owner in owners) or 'tests/'}"
    return None


def check(path, text):
    if not tidy.is_cpp(path):
        return
    room = room_of(path)
    if room not in ALLOWED:
        yield 1, f"{room}/ has no rule in check_includes.py: say what it may include"
        return
    for include in _INCLUDE.finditer(text):
        message = complaint(room, include.group(1), include.group(2))
        if message:
            yield tidy.line_of(text, include.start()), message


SAMPLES = [
    ("store/format/good.cpp", '#include <google/protobuf/arena.h>\n#include "store/format/format.pb.h"\n', []),
    ("store/format/envelope.cpp", '#include "base/error.h"\n#include "store/codec/zstd_codec.h"\n', []),
    ("store/environment.h", '#include "cache/block_cache.h"\n#include "store/format/store_format.h"\n', []),
    ("remote/open.cpp", '#include "remote/s3/s3_object_store.h"\n#include "remote/decorators/retrying.h"\n', []),
    ("fs/fuse/good.cpp", '#include <fuse_lowlevel.h>\n#include "fs/file_system.h"\n', []),
    ("daemon/good.cpp", '#include <nlohmann/json.hpp>\n#include "remote/open.h"\n#include "fs/fuse/shell.h"\n', []),
    ("cli/good.cpp", '#include <CLI/CLI.hpp>\n#include "daemon/daemon.h"\n#include "cache/block_cache.h"\n', []),
    ("tests/unit/fuse/good.cpp", "#include <linux/fuse.h>\n#include <gtest/gtest.h>\n", []),
    ("base/bad.cpp", '#include "base/error.h"\n#include "remote/open.h"\n#include <gtest/gtest.h>\n', [2, 3]),
    ("remote/bad.cpp", '#include "cache/block_cache.h"\n#include <curl/curl.h>\n', [1, 2]),
    ("remote/directory/bad.cpp", '#include "remote/object_rules.h"\n#include "remote/decorators/a.h"\n', [2]),
    ("remote/decorators/bad.cpp", '#include "remote/object_store.h"\n#include "remote/directory/folder.h"\n', [2]),
    ("remote/s3/bad.cpp", '#include "remote/credentials/credentials.h"\n#include "remote/credentials/chain.h"\n', [2]),
    ("remote/nodes/new.cpp", '#include "base/error.h"\n', [1]),
    ("cache/bad.cpp", '#include "remote/object_store.h"\n', [1]),
    ("store/bad.h", '#include "store/chunks/chunk_reader.h"\n', [1]),
    ("store/format/bad.cpp", '#include "store/directories/directory.h"\n#include "store/environment.h"\n', [1, 2]),
    ("store/codec/bad.cpp", '#include <zstd.h>\n#include "store/format/manifest.h"\n', [2]),
    ("store/reading/bad.cpp", '#include "store/drafts/draft.h"\n#include "store/directories/namespace.h"\n', [1, 2]),
    ("store/drafts/bad.cpp", '#include "store/reading/file_reader.h"\n#include "store/format/format.pb.h"\n', [2]),
    ("store/check/bad.cpp", '#include "store/codec/chunk_codec.h"\n#include "store/chunks/chunk_reader.h"\n', [2]),
    ("fs/bad.cpp", '#include "cache/block_cache.h"\n#include "fs/fuse/shell.h"\n#include <fuse.h>\n', [1, 2, 3]),
    ("fs/fuse/bad.cpp", '#include "remote/object_store.h"\n', [1]),
    ("daemon/bad.cpp", '#include "cli/run.h"\n#include <toml++/toml.h>\n', [1, 2]),
    ("store/chunks/bad.h", "#include <lmdb.h>\n#include <curl/curl.h>\n#include <spdlog/spdlog.h>\n", [1, 2, 3]),
    ("remote/http/bad.h", "#include <google/protobuf/message.h>\n# include <CLI/CLI.hpp>\n", [1, 2]),
    ("fs/bad.h", '#include "store/format/format.pb.h"\n#include "neighbour.h"\n', [1, 2]),
]

if __name__ == "__main__":
    tidy.main(check, SAMPLES)
