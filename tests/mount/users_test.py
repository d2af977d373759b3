"""Users of one mount who do not trust each other: what one takes is not taken from the others."""
import contextlib
import errno
import os
import subprocess
import sys
import tempfile

import pytest
from conftest import BINARY, Mount, cairnfs, run, wait_until
from small_s3 import Door, SmallS3

MIB = 1 << 20
FIRST, SECOND = 1201, 1202

# Writes so many bytes to a file, and says how many were taken and why no more; then what the close says.
WRITE = """
import errno, os, sys
file, left, taken, why = os.open(sys.argv[1], os.O_WRONLY), int(sys.argv[2]), 0, 0
try:
    while taken < left:
        taken += os.write(file, os.urandom(min(left - taken, 1 << 20)))
except OSError as error:
    why = error.errno
closed = 0
try:
    os.close(file)
except OSError as error:
    closed = error.errno
print(taken, why, closed)
"""


def as_user(user, *command):
    return run("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *command)


def write_as(user, path, size):
    return [int(word) for word in as_user(user, sys.executable, "-c", WRITE, path, size).stdout.split()]


def make_files(mount, names_of):
    """While the store is there: nobody makes a name without it."""
    os.chmod(mount.path, 0o1777)
    for user, names in names_of.items():
        as_user(user, "touch", *(mount.path / name for name in names))
    cairnfs("sync", mount.path)


@pytest.fixture
def shared(monkeypatch):
    """A mount for everybody, where everybody may go, and the door of its store."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "anybody")
    door = Door(SmallS3(), 0)
    cairnfs("init", door.url())
    with tempfile.TemporaryDirectory() as home:
        os.chmod(home, 0o755)
        mount = Mount(door.url(), f"{home}/mnt", f"{home}/cache", "--allow-other", "--timeout", "3s")
        yield mount, door
        mount.end()
    door.close()


def start_with_400_descriptors(mount):
    """A quarter of them may be open for writing, and as many drafts be there: half of that is one user's."""
    mount.path.mkdir()
    run("prlimit", "--nofile=400:400", BINARY, "mount", mount.store, mount.path, "--cache-dir", mount.cache,
        *mount.flags)
    mount.pid = mount.status()["pid"]


def test_one_user_leaves_staging_room_to_the_others_while_the_store_is_away(shared):
    mount, door = shared
    mount.start("--staging-size", "64MiB")
    make_files(mount, {FIRST: ["much", "more"], SECOND: ["some"]})
    door.set("refuses")
    taken, why, closed = write_as(FIRST, mount.path / "much", 60 * MIB)
    assert why == errno.EDQUOT and closed != 0
    assert 24 * MIB <= taken <= 32 * MIB
    assert [user["uid"] for user in mount.status()["staging"]["users_at_their_bound"]] == [FIRST]
    assert f"user {FIRST} is at his bound" in cairnfs("status", mount.path).stdout
    taken, why, closed = write_as(SECOND, mount.path / "some", 8 * MIB)
    assert (taken, why) == (8 * MIB, 0) and closed != 0
    assert write_as(FIRST, mount.path / "more", MIB)[1] == errno.EDQUOT
    told = [line["text"] for line in mount.status()["recent_errors"] if f"user {FIRST} has" in line["text"]]
    assert len(told) == 1
    door.set("well")
    wait_until(lambda: mount.status()["staging"]["kept_bytes"] == 0, 60)
    assert write_as(FIRST, mount.path / "more", 40 * MIB) == [40 * MIB, 0, 0]
    assert mount.status()["staging"]["users_at_their_bound"] == []
    mount.umount()


def test_one_user_leaves_drafts_to_the_others(shared):
    mount, door = shared
    start_with_400_descriptors(mount)
    make_files(mount, {FIRST: [f"f{number}" for number in range(52)], SECOND: ["s"]})
    door.set("refuses")
    written = [write_as(FIRST, mount.path / f"f{number}", 1) for number in range(52)]
    assert all((taken, why) == (1, 0) and closed != 0 for taken, why, closed in written[:50])
    assert all((taken, why) == (0, errno.EDQUOT) for taken, why, _ in written[50:])
    assert write_as(SECOND, mount.path / "s", 1)[:2] == [1, 0]
    door.set("well")
    wait_until(lambda: mount.status()["staging"]["kept_bytes"] == 0, 60)
    assert write_as(FIRST, mount.path / "f51", 1) == [1, 0, 0]
    mount.umount()


# Opens a file for writing until that fails, stays so until its input ends, and says how often and why no more.
OPEN = """
import os, sys
opened, why = [], 0
try:
    while len(opened) < 120:
        opened.append(os.open(sys.argv[1], os.O_WRONLY))
except OSError as error:
    why = error.errno
print(len(opened), why, flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def opened_as(user, path):
    command = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", sys.executable, "-c", OPEN, path]
    opener = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield [int(word) for word in opener.stdout.readline().split()]
    finally:
        opener.communicate(timeout=60)


def test_what_exists_is_opened_by_each_user_within_his_share(shared):
    mount, _ = shared
    start_with_400_descriptors(mount)
    make_files(mount, {FIRST: ["a"], SECOND: ["b"]})
    with opened_as(FIRST, mount.path / "a") as first, opened_as(SECOND, mount.path / "b") as second:
        assert first == [50, errno.ENFILE] and second == [25, errno.ENFILE]
        (mount.path / "of-root").write_text("root's is not bounded")
    mount.umount()


def test_the_attributes_of_administrators_are_listed_for_root_alone(shared):
    mount, _ = shared
    mount.start()
    (mount.path / "f").write_text("x")
    os.chmod(mount.path / "f", 0o644)
    os.setxattr(mount.path / "f", "trusted.secret", b"1")
    os.setxattr(mount.path / "f", "user.plain", b"1")
    assert sorted(os.listxattr(mount.path / "f")) == ["trusted.secret", "user.plain"]
    seen = as_user(FIRST, sys.executable, "-c", "import os, sys; print(os.listxattr(sys.argv[1]))", mount.path / "f").stdout
    assert seen.strip() == "['user.plain']"
    mount.umount()
