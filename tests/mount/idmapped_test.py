"""The mount cloned with other ids, as container runtimes do it: mount_setattr(2) with MOUNT_ATTR_IDMAP."""
import contextlib
import ctypes
import errno
import os
import platform

import pytest

from conftest import run

# x86-64 and aarch64 have the same numbers for all calls of this age.
OPEN_TREE, MOVE_MOUNT, MOUNT_SETATTR = 428, 429, 442
AT_FDCWD, AT_EMPTY_PATH, AT_RECURSIVE = -100, 0x1000, 0x8000
OPEN_TREE_CLONE, MOVE_MOUNT_F_EMPTY_PATH = 1, 4
MOUNT_ATTR_IDMAP = 0x100000
CLONE_NEWUSER = 0x10000000

LIBC = ctypes.CDLL(None, use_errno=True)


def syscall(number, *arguments):
    result = LIBC.syscall(number, *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


@contextlib.contextmanager
def user_namespace(mapping):
    """A descriptor of a namespace with that uid_map and gid_map."""
    ready, tell_ready = os.pipe()
    end, tell_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(tell_ready, b"y" if LIBC.unshare(CLONE_NEWUSER) == 0 else b"n")
        os.close(tell_end)
        os.read(end, 1)
        os._exit(0)
    try:
        if os.read(ready, 1) != b"y":
            pytest.skip("no user namespaces here")
        for name in ("uid_map", "gid_map"):
            with open(f"/proc/{child}/{name}", "w") as file:
                file.write(mapping)
        namespace = os.open(f"/proc/{child}/ns/user", os.O_RDONLY)
        yield namespace
        os.close(namespace)
    finally:
        os.close(tell_end)
        os.waitpid(child, 0)
        for descriptor in (ready, tell_ready, end):
            os.close(descriptor)


@pytest.fixture
def clone(bench, tmp_path):
    """The mount, and a clone of it in which 1000 of the store is 2000."""
    if tuple(int(part) for part in platform.release().split(".")[:2]) < (6, 12):
        pytest.skip(f"Linux {platform.release()} maps no ids of FUSE mounts: 6.12 does")
    mount = bench.mount("mnt", "--allow-other")
    os.chmod(mount.path, 0o777)
    os.chown(mount.path, 1000, 1000)  # who has no name in the clone can be written to by nobody
    path = tmp_path / "clone"
    path.mkdir()
    for above in {*path.parents, *mount.path.parents}:
        if above.owner() == "root":
            os.chmod(above, above.stat().st_mode | 0o011)
    with user_namespace("1000 2000 1") as namespace:
        tree = syscall(OPEN_TREE, AT_FDCWD, str(mount.path).encode(), OPEN_TREE_CLONE)
        attributes = (ctypes.c_uint64 * 4)(MOUNT_ATTR_IDMAP, 0, 0, namespace)
        try:
            syscall(MOUNT_SETATTR, tree, b"", AT_EMPTY_PATH, attributes, ctypes.c_size_t(32))
        except OSError as error:
            assert error.errno != errno.EINVAL, "the kernel was not told that ids may be mapped"
            if error.errno == errno.EPERM:
                pytest.skip("mount_setattr is not allowed here")
            raise
        syscall(MOVE_MOUNT, tree, b"", AT_FDCWD, str(path).encode(), MOVE_MOUNT_F_EMPTY_PATH)
        os.close(tree)
    yield mount, path
    run("umount", "-l", path, ok=None)


def as_user(uid, script):
    return run("setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "sh", "-c", script, ok=None)


def test_owners_are_shown_as_the_clone_maps_them(clone):
    mount, path = clone
    (mount.path / "theirs").write_text("content")
    os.chown(mount.path / "theirs", 1000, 1000)
    shown = os.stat(path / "theirs")
    assert (shown.st_uid, shown.st_gid) == (2000, 2000)


def test_what_is_made_in_the_clone_belongs_to_whom_its_maker_stands_for(clone):
    mount, path = clone
    made = as_user(2000, f"umask 077; echo content > {path}/file && mkdir {path}/directory && ln -s x {path}/link")
    assert made.returncode == 0, made.stderr
    for name in ("file", "directory", "link"):
        stored = os.lstat(mount.path / name)
        assert (stored.st_uid, stored.st_gid) == (1000, 1000)


def test_the_kernel_checks_permissions_by_the_mapped_ids(clone):
    mount, path = clone
    (mount.path / "private").write_text("content")
    os.chown(mount.path / "private", 1000, 1000)
    os.chmod(mount.path / "private", 0o600)
    done = as_user(2000, f"cat {path}/private && echo more >> {path}/private && chmod 640 {path}/private")
    assert (done.returncode, done.stdout) == (0, "content"), done.stderr
    assert (mount.path / "private").read_text() == "contentmore\n"
    assert as_user(1000, f"cat {path}/private").returncode != 0


def test_the_mount_itself_goes_on_as_before(clone):
    mount, _ = clone
    assert as_user(1000, f"echo mine > {mount.path}/mine").returncode == 0
    assert os.stat(mount.path / "mine").st_uid == 1000
