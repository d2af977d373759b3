"""System calls through a real kernel: what programs_test.py does not happen to use."""
import calendar
import ctypes
import errno
import fcntl
import mmap
import os
import socket
import stat
import struct
import subprocess
import threading

import pytest

from conftest import run

libc = ctypes.CDLL(None, use_errno=True)
RENAME_NOREPLACE, RENAME_EXCHANGE = 1, 2
AT_FDCWD = -100
KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE = 1, 2, 16


def renameat2(old, new, flags):
    if libc.renameat2(AT_FDCWD, os.fsencode(old), AT_FDCWD, os.fsencode(new), flags) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def fallocate(fd, mode, offset, length):
    if libc.fallocate(fd, mode, ctypes.c_long(offset), ctypes.c_long(length)) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def fails_with(code, call, *arguments, **options):
    with pytest.raises(OSError) as caught:
        call(*arguments, **options)
    assert errno.errorcode[caught.value.errno] == errno.errorcode[code]


def test_writes_at_any_offset_append_and_truncate(mnt):
    fd = os.open(mnt / "f", os.O_RDWR | os.O_CREAT)
    os.pwrite(fd, b"tail", 10_000_000)
    os.pwrite(fd, b"head", 0)
    os.pwrite(fd, b"middle", 4194304 - 3)
    assert os.pread(fd, 6, 4194301) == b"middle" and os.pread(fd, 4, 5_000_000) == b"\0" * 4
    os.ftruncate(fd, 4194304)
    os.ftruncate(fd, 4194310)
    os.close(fd)
    assert (mnt / "f").read_bytes()[-9:] == b"mid" + b"\0" * 6
    with open(mnt / "f", "ab") as file:
        file.write(b"appended")
    os.truncate(mnt / "f", 4194318)
    assert (mnt / "f").read_bytes()[4194310:] == b"appended"


def test_appenders_do_not_overwrite_each_other(mnt):
    def append(letter):
        fd = os.open(mnt / "log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        for _ in range(200):
            os.write(fd, letter * 10 + b"\n")
        os.close(fd)

    threads = [threading.Thread(target=append, args=(bytes([65 + i]),)) for i in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    lines = (mnt / "log").read_bytes().splitlines()
    assert len(lines) == 800 and all(line == line[:1] * 10 for line in lines)


def test_shared_writable_mapping_outlives_its_descriptor(bench):
    mount = bench.mount()
    path = mount.path / "m"
    path.write_bytes(bytes(300_000))
    fd = os.open(path, os.O_RDWR)
    mapping = mmap.mmap(fd, 300_000)
    os.close(fd)
    mapping[100_000:100_006] = b"mapped"
    mapping.flush()
    mapping[200_000:200_006] = b"late!!"
    mapping.close()
    mount.restart()
    data = path.read_bytes()
    assert data[100_000:100_006] == b"mapped" and data[200_000:200_006] == b"late!!"


def test_mapping_sees_writes_and_writes_see_the_mapping(mnt):
    (mnt / "m").write_bytes(b"a" * 8192)
    fd = os.open(mnt / "m", os.O_RDWR)
    mapping = mmap.mmap(fd, 8192)
    os.pwrite(fd, b"written", 4096)
    assert mapping[4096:4103] == b"written"
    mapping[0:6] = b"mapped"
    assert os.pread(fd, 6, 0) == b"mapped"
    mapping.close()
    os.close(fd)
    assert (mnt / "m").read_bytes()[:6] == b"mapped"


def test_direct_io_reads_and_writes(mnt):
    block = mmap.mmap(-1, 8192)
    block[:] = bytes(range(256)) * 32
    fd = os.open(mnt / "d", os.O_RDWR | os.O_CREAT | os.O_DIRECT)
    assert os.pwritev(fd, [block], 4096) == 8192
    back = mmap.mmap(-1, 16384)
    assert os.preadv(fd, [back], 0) == 12288
    os.close(fd)
    assert back[:4096] == bytes(4096) and back[4096:12288] == block[:]


def test_holes_are_reported_and_cost_nothing(mnt):
    fd = os.open(mnt / "s", os.O_RDWR | os.O_CREAT)
    os.ftruncate(fd, 1 << 30)
    os.pwrite(fd, b"x" * 4096, 512 << 20)
    for _ in ("in the draft", "published"):
        data = os.lseek(fd, 0, os.SEEK_DATA)
        assert 508 << 20 <= data <= 512 << 20
        hole = os.lseek(fd, data, os.SEEK_HOLE)
        assert (512 << 20) + 4096 <= hole <= 517 << 20
        assert os.lseek(fd, 0, os.SEEK_HOLE) == 0
        fails_with(errno.ENXIO, os.lseek, fd, 1 << 30, os.SEEK_DATA)
        os.fsync(fd)
    assert os.fstat(fd).st_blocks * 512 <= 8 << 20
    os.close(fd)


def test_fallocate_extends_keeps_and_punches(mnt):
    fd = os.open(mnt / "a", os.O_RDWR | os.O_CREAT)
    os.posix_fallocate(fd, 0, 100_000)
    assert os.fstat(fd).st_size == 100_000
    fallocate(fd, KEEP_SIZE, 0, 200_000)
    assert os.fstat(fd).st_size == 100_000
    os.pwrite(fd, b"x" * 100_000, 0)
    fallocate(fd, KEEP_SIZE | PUNCH_HOLE, 10_000, 20_000)
    fallocate(fd, ZERO_RANGE, 50_000, 10)
    wanted = bytearray(b"x" * 100_000)
    wanted[10_000:30_000] = bytes(20_000)
    wanted[50_000:50_010] = bytes(10)
    assert os.pread(fd, 200_000, 0) == wanted
    os.close(fd)
    assert (mnt / "a").read_bytes() == wanted


def test_open_files_survive_unlink_and_rename(mnt):
    (mnt / "x").write_bytes(b"kept")
    fd = os.open(mnt / "x", os.O_RDWR)
    os.unlink(mnt / "x")
    os.pwrite(fd, b"more", 4)
    assert os.pread(fd, 8, 0) == b"keptmore" and os.fstat(fd).st_nlink == 0
    os.close(fd)
    assert not (mnt / "x").exists()
    fd = os.open(mnt / "y", os.O_RDWR | os.O_CREAT)
    os.rename(mnt / "y", mnt / "z")
    os.write(fd, b"through the old name")
    os.close(fd)
    assert (mnt / "z").read_bytes() == b"through the old name" and os.listdir(mnt) == ["z"]


def test_rename_flags_and_errors(mnt):
    (mnt / "a").write_text("a")
    (mnt / "b").write_text("b")
    for name in ("empty", "full", "full/sub"):
        (mnt / name).mkdir()
    fails_with(errno.EEXIST, renameat2, mnt / "a", mnt / "b", RENAME_NOREPLACE)
    renameat2(mnt / "a", mnt / "b", RENAME_EXCHANGE)
    assert ((mnt / "a").read_text(), (mnt / "b").read_text()) == ("b", "a")
    renameat2(mnt / "a", mnt / "full", RENAME_EXCHANGE)
    assert (mnt / "a" / "sub").is_dir() and (mnt / "full").read_text() == "b"
    renameat2(mnt / "a", mnt / "full", RENAME_EXCHANGE)
    fails_with(errno.ENOTEMPTY, os.rename, mnt / "empty", mnt / "full")
    fails_with(errno.EISDIR, os.rename, mnt / "a", mnt / "empty")
    fails_with(errno.ENOTDIR, os.rename, mnt / "empty", mnt / "a")
    fails_with(errno.EINVAL, os.rename, mnt / "full", mnt / "full" / "sub" / "x")
    fails_with(errno.ENOENT, os.rename, mnt / "none", mnt / "x")
    os.rename(mnt / "full", mnt / "empty")
    os.rename(mnt / "b", mnt / "empty" / "sub" / "b")
    renameat2(mnt / "a", mnt / "empty" / "sub" / "b", RENAME_EXCHANGE)
    assert (mnt / "a").read_text() == "a" and (mnt / "empty" / "sub" / "b").read_text() == "b"
    assert sorted(os.listdir(mnt)) == ["a", "empty"]


def test_errors_are_those_of_a_local_disk(mnt):
    (mnt / "f").write_text("f")
    (mnt / "d").mkdir()
    fails_with(errno.EEXIST, os.mkdir, mnt / "f")
    fails_with(errno.EEXIST, os.open, mnt / "f", os.O_CREAT | os.O_EXCL)
    fails_with(errno.ENOTDIR, os.open, mnt / "f" / "x", os.O_RDONLY)
    fails_with(errno.EISDIR, os.open, mnt / "d", os.O_WRONLY)
    fails_with(errno.EISDIR, os.unlink, mnt / "d")
    fails_with(errno.ENOTDIR, os.rmdir, mnt / "f")
    fails_with(errno.EPERM, os.link, mnt / "f", mnt / "g")
    fails_with(errno.EPERM, os.mknod, mnt / "dev", stat.S_IFBLK | 0o600, os.makedev(1, 1))
    fails_with(errno.ENAMETOOLONG, os.mkdir, mnt / ("n" * 256))
    fails_with(errno.EILSEQ, os.mkdir, os.fsencode(mnt) + b"/\xff\xfe")
    (mnt / "d" / "x").mkdir()
    fails_with(errno.ENOTEMPTY, os.rmdir, mnt / "d")


def test_links_fifos_and_sockets(bench):
    mount = bench.mount()
    mnt = mount.path
    os.symlink("some/where/else", mnt / "link")
    os.mkfifo(mnt / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(mnt / "socket"))
    mount.restart()
    assert os.readlink(mnt / "link") == "some/where/else"
    assert stat.S_ISFIFO(os.stat(mnt / "fifo").st_mode) and stat.S_ISSOCK(os.stat(mnt / "socket").st_mode)
    writer = threading.Thread(target=lambda: (mnt / "fifo").write_text("through"))
    writer.start()
    assert (mnt / "fifo").read_text() == "through"
    writer.join()


def test_attributes_survive_a_remount(bench):
    mount = bench.mount()
    path = mount.path / "f"
    path.write_text("x")
    (mount.path / "d").mkdir(mode=0o700)
    for target in (path, mount.path / "d"):
        os.chmod(target, 0o4751)
        os.chown(target, 1234, 4321)
        os.utime(target, ns=(5, 1_234_567_890_123_456_789))
        os.setxattr(target, "user.a", b"\0binary\xff")
        os.setxattr(target, "user.b", b"")
    before = os.stat(path)
    mount.restart()
    for target in (path, mount.path / "d"):
        now = os.stat(target)
        assert stat.S_IMODE(now.st_mode) in (0o4751, 0o751) and (now.st_uid, now.st_gid) == (1234, 4321)
        assert now.st_mtime_ns == 1_234_567_890_123_456_789
        assert sorted(os.listxattr(target)) == ["user.a", "user.b"]
        assert os.getxattr(target, "user.a") == b"\0binary\xff"
    assert os.stat(path).st_ino == before.st_ino
    os.removexattr(path, "user.a")
    fails_with(errno.ENODATA, os.getxattr, path, "user.a")
    fails_with(errno.EEXIST, os.setxattr, path, "user.b", b"", os.XATTR_CREATE)
    fails_with(errno.ENODATA, os.setxattr, path, "user.c", b"", os.XATTR_REPLACE)


def test_permissions_are_enforced(bench):
    mount = bench.mount("mnt", "--allow-other")
    secret = mount.path / "secret"
    secret.write_text("s")
    os.chmod(secret, 0o600)
    assert run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "cat", secret, ok=False)
    assert run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "chmod", "777", secret, ok=False)
    assert secret.read_text() == "s"


def test_locks_exclude_within_the_host(mnt):
    (mnt / "l").write_text("")
    with open(mnt / "l", "r+") as one, open(mnt / "l", "r+") as two:
        fcntl.flock(one, fcntl.LOCK_EX)
        fails_with(errno.EAGAIN, fcntl.flock, two, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(one, fcntl.LOCK_UN)
        fcntl.lockf(one, fcntl.LOCK_EX)
        assert run("flock", "-n", mnt / "l", "true")
        other = "import fcntl,sys; fcntl.lockf(open(sys.argv[1],'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
        run("python3", "-c", other, mnt / "l", ok=False)


def test_statfs_and_fsync_of_directories(mnt):
    assert os.statvfs(mnt).f_blocks > 0 and os.statvfs(mnt).f_namemax == 255
    (mnt / "d").mkdir()
    (mnt / "d" / "x").touch()
    fd = os.open(mnt / "d", os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(fd)
    os.close(fd)


def test_a_directory_of_20000_names_lists_and_stats(bench):
    mount = bench.mount()
    (mount.path / "big").mkdir()
    for i in range(20_000):
        os.close(os.open(mount.path / "big" / f"name-{i:06}", os.O_CREAT | os.O_WRONLY))
    mount.restart()
    names = os.listdir(mount.path / "big")
    assert len(names) == len(set(names)) == 20_000
    assert sum(1 for entry in os.scandir(mount.path / "big") if entry.is_file()) == 20_000
    assert os.stat(mount.path / "big" / "name-019999").st_size == 0


@pytest.mark.parametrize("year, clamped", [(1, -2**63), (1600, -2**63), (1676, -2**63), (1678, None), (1969, None),
                                           (2261, None), (2263, 2**63 - 1), (2300, 2**63 - 1), (9999, 2**63 - 1)])
def test_dates_are_kept_or_clamped_and_the_same_everywhere(bench, year, clamped):
    mount = bench.mount()
    path = mount.path / "f"
    path.touch()
    midsummer = calendar.timegm((year, 6, 21, 0, 0, 0)) * 10**9
    for nanoseconds in (midsummer, midsummer + 1, midsummer - 1):
        os.utime(path, ns=(nanoseconds, nanoseconds))
        assert path.stat().st_mtime_ns == (nanoseconds if clamped is None else clamped)
    mount.restart()
    assert path.stat().st_mtime_ns == (midsummer - 1 if clamped is None else clamped)


def test_moments_around_1970_and_at_the_ends_of_time(mnt):
    path = mnt / "f"
    path.touch()
    for nanoseconds in (-1, 0, 1, -500_000_000, -10**9, -10**9 - 1, -9223372036 * 10**9, 9223372035 * 10**9 + 999_999_999):
        os.utime(path, ns=(nanoseconds, nanoseconds))
        assert path.stat().st_mtime_ns == nanoseconds


# opendir, readdir and rewinddir as the C library has them: Python's scandir() rewinds nothing.
def test_rewinddir_shows_what_was_made_since(mnt):
    (mnt / "d").mkdir()
    (mnt / "d" / "a").touch()
    libc.opendir.restype = libc.readdir.restype = ctypes.c_void_p
    stream = ctypes.c_void_p(libc.opendir(os.fsencode(mnt / "d")))

    def names():
        found = set()
        while entry := libc.readdir(stream):
            found.add(ctypes.string_at(entry + 19))  # d_name
        return found - {b".", b".."}

    (mnt / "d" / "b").touch()  # nothing was read yet
    libc.rewinddir(stream)
    assert names() == {b"a", b"b"}
    (mnt / "d" / "c").touch()
    (mnt / "d" / "a").unlink()
    libc.rewinddir(stream)
    assert names() == {b"b", b"c"}
    libc.closedir(stream)


def test_asynchronous_direct_writes_leave_no_old_pages_to_readers(mnt):
    path, size, aio = mnt / "g", 655360, ctypes.CDLL("libaio.so.1")
    context = ctypes.c_void_p()
    assert aio.io_setup(1, ctypes.byref(context)) == 0
    bodies = [mmap.mmap(-1, size) for _ in "ab"]
    bodies[0][:], bodies[1][:] = b"a" * size, b"b" * size
    path.write_bytes(b"a" * size)
    readers = [subprocess.Popen(["sh", "-c", 'while cat "$0" > /dev/null; do :; done', path], start_new_session=True)
               for _ in "12"]
    try:
        for i in range(200):
            body = bodies[i % 2]
            fd = os.open(path, os.O_RDWR | os.O_DIRECT)
            address = ctypes.addressof(ctypes.c_char.from_buffer(body))
            block = ctypes.create_string_buffer(struct.pack("<QIIHhIQQqQII", 0, 0, 0, 1, 0, fd, address, size, 0, 0, 0, 0))
            blocks, event = (ctypes.c_void_p * 1)(ctypes.addressof(block)), ctypes.create_string_buffer(32)
            assert aio.io_submit(context, 1, blocks) == 1 and aio.io_getevents(context, 1, 1, event, None) == 1
            os.close(fd)
            assert path.read_bytes() == body[:], f"after {i + 1} writes"
    finally:
        for reader in readers:
            os.killpg(reader.pid, 9)
            reader.wait()
        aio.io_destroy(context)
