"""The cache's disk under a running mount: emptied, read-only, full, failing."""
import contextlib
import os
import shutil

import pytest

from conftest import cairnfs, is_running, run, wait_until

MIB = 1 << 20


@pytest.fixture(autouse=True)
def without_leak_check(monkeypatch):
    """What LMDB was doing when it met a page that the disk does not give is left behind on purpose."""
    monkeypatch.setenv("ASAN_OPTIONS", "detect_leaks=0")


@pytest.fixture
def disk(bench, tmp_path):
    """A disk of its own for the cache, and a mount on it that has read a file."""
    image, place = tmp_path / "disk.img", tmp_path / "disk"
    place.mkdir()
    with open(image, "wb") as file:
        file.truncate(256 * MIB)
    run("mkfs.ext4", "-q", image)
    device = run("losetup", "--find", "--show", image).stdout.strip()
    run("mount", "-o", "errors=remount-ro", device, place)
    mount = bench.mount("mnt", start=False)
    mount.cache = place / "cache"
    mount.start("--cache-size", "64MiB")
    (mount.path / "old").write_bytes(b"old" * MIB)
    yield mount, place, device
    mount.end()
    run("umount", "-l", place, ok=None)
    run("losetup", "-d", device, ok=None)


def open_files(pid):
    for entry in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            yield os.readlink(f"/proc/{pid}/fd/{entry}")


def reads_and_saves(mount, name="new"):
    assert (mount.path / "old").read_bytes() == b"old" * MIB
    (mount.path / name).write_bytes(name.encode() * MIB)
    assert (mount.path / name).read_bytes() == name.encode() * MIB
    assert is_running(mount.pid)


def test_emptied_cache_directory_is_made_anew_and_gives_its_room_back(bench):
    mount = bench.mount()
    (mount.path / "old").write_bytes(b"old" * MIB)
    reads_and_saves(mount)
    for emptied in (mount.cache, mount.cache / "blocks", mount.cache / "staging"):
        for entry in emptied.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        reads_and_saves(mount, f"after-{emptied.name}")
        wait_until(lambda: not [name for name in open_files(mount.pid) if name.endswith("data.mdb (deleted)")], 30)
        wait_until((mount.cache / "blocks" / "data.mdb").exists)
    other = bench.mount("other", start=False)
    other.cache = mount.cache
    assert "in use" in other.start(ok=False).stderr
    bench.check()


def test_file_that_is_open_while_the_cache_directory_is_emptied_is_published(bench):
    mount = bench.mount()
    with open(mount.path / "f", "wb") as file:
        file.write(b"x" * MIB)
        file.flush()
        for entry in mount.cache.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        file.write(b"y" * MIB)
    assert (mount.path / "f").read_bytes() == b"x" * MIB + b"y" * MIB


def test_full_disk_stops_neither_readers_nor_small_saves(disk):
    mount, place, _ = disk
    with pytest.raises(OSError, match="No space"):
        with open(place / "somebody-elses", "wb", buffering=0) as file:
            while True:
                file.write(bytes(MIB))
    assert (mount.path / "old").read_bytes() == b"old" * MIB
    with pytest.raises(OSError, match="No space"):
        (mount.path / "large").write_bytes(bytes(range(256)) * (64 * MIB // 256))
    (place / "somebody-elses").unlink()
    reads_and_saves(mount)


def test_read_only_disk_leaves_readers_alone(disk):
    mount, place, device = disk
    run("sync", "-f", place)
    with open(f"/sys/fs/ext4/{os.path.basename(device)}/trigger_fs_error", "w") as trigger:
        trigger.write("1")
    assert (mount.path / "old").read_bytes() == b"old" * MIB
    with pytest.raises(OSError, match="Read-only"):
        (mount.path / "new").write_bytes(b"new")
    assert (mount.path / "old").read_bytes() == b"old" * MIB
    assert is_running(mount.pid)


def test_disk_that_is_torn_away_leaves_readers_alone(disk, tmp_path):
    mount, place, _ = disk
    with open(tmp_path / "disk.img", "wb"):
        pass  # nothing is left behind the loop device
    run("sh", "-c", "echo 3 > /proc/sys/vm/drop_caches", ok=None)
    for _ in range(3):
        assert (mount.path / "old").read_bytes() == b"old" * MIB
    (mount.path / "small").touch()
    assert is_running(mount.pid)
    assert cairnfs("status", mount.path).returncode == 0


def test_cache_file_cut_short_under_the_mount_is_no_crash(bench):
    mount = bench.mount()
    (mount.path / "old").write_bytes(b"old" * MIB)
    for left in (0, 4096, MIB):
        reads_and_saves(mount, f"before-{left}")
        os.truncate(mount.cache / "blocks" / "data.mdb", left)
        run("sh", "-c", "echo 1 > /proc/sys/vm/drop_caches", ok=None)
        reads_and_saves(mount, f"after-{left}")
