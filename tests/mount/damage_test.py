"""Damage and shortage: the store's objects, the cache's file, full and read-only disks."""
import errno
import os
import pathlib
import shutil

import pytest

from conftest import cairnfs, run, wait_until


def chunks_of(store_directory):
    return sorted((path for path in (store_directory / "chunks").rglob("*") if path.is_file()),
                  key=lambda path: path.stat().st_size)


def flip(path, offset):
    os.chmod(path, 0o644)
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)
        file.seek(offset)
        file.write(bytes([byte[0] ^ 0x10]))


def read_error(path):
    with pytest.raises(OSError) as caught:
        path.read_bytes()
    return caught.value.errno


@pytest.fixture
def saved(bench):
    """A mount, cold, with one 9 MB file of random bytes."""
    mount = bench.mount()
    (mount.path / "f").write_bytes(os.urandom(9_000_000))
    (mount.path / "other").write_bytes(b"whole" * 2000)
    mount.umount()
    shutil.rmtree(mount.cache)
    mount.start()
    return mount


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove", "empty"])
def test_a_damaged_chunk_is_an_error_and_never_wrong_bytes(bench, store_directory, saved, damage):
    victim = chunks_of(store_directory)[-1]
    if damage == "flip":
        flip(victim, victim.stat().st_size // 2)
    elif damage == "truncate":
        os.truncate(victim, 1000)
    elif damage == "empty":
        os.truncate(victim, 0)
    else:
        victim.unlink()
    assert read_error(saved.path / "f") == errno.EIO
    assert (saved.path / "other").read_bytes() == b"whole" * 2000
    report = cairnfs("check", bench.url, "--read-data", ok=False)
    assert report.returncode == 1 and victim.name[:8] in report.stdout and "/f" in report.stdout
    log = run("tail", "-n", "5", saved.status()["log_file"]).stdout
    assert victim.name[:8] in log, log


@pytest.mark.parametrize("is_known", [True, False], ids=["noticed", "unnoticed"])
@pytest.mark.parametrize("damage", ["flip", "truncate", "remove"])
def test_a_damaged_chunk_heals_when_somebody_saves_its_bytes_again(bench, store_directory, damage, is_known):
    content = os.urandom(9_000_000)
    mount = bench.mount()
    (mount.path / "f").write_bytes(content)
    mount.umount()
    shutil.rmtree(mount.cache)
    victim = chunks_of(store_directory)[-1]
    if damage == "flip":
        flip(victim, victim.stat().st_size // 2)
    elif damage == "truncate":
        os.truncate(victim, 1000)
    else:
        victim.unlink()
    mount.start()
    if is_known:
        assert read_error(mount.path / "f") == errno.EIO
    (mount.path / "copy").write_bytes(content)
    assert (mount.path / "copy").read_bytes() == content
    assert (mount.path / "f").read_bytes() == content
    bench.check()


@pytest.mark.parametrize("damage", ["flip", "truncate"])
def test_a_damaged_record_is_an_error_that_names_it(bench, store_directory, damage):
    mount = bench.mount()
    (mount.path / "d").mkdir()
    (mount.path / "d" / "x").write_text("x")
    (mount.path / "y").write_text("y")
    identity = f"{(mount.path / 'd').stat().st_ino:016x}"
    mount.umount()
    victim = min((store_directory / "dirs" / identity).iterdir())
    flip(victim, 60) if damage == "flip" else os.truncate(victim, victim.stat().st_size - 1)
    mount.start()
    with pytest.raises(OSError):
        os.listdir(mount.path / "d")
    assert (mount.path / "y").read_text() == "y"
    report = cairnfs("check", bench.url, ok=False)
    assert report.returncode == 1 and victim.name in report.stdout


def flip_all_over(path):
    for offset in range(1 << 20, path.stat().st_size - 4096, 1 << 19):
        flip(path, offset)


def test_a_flipped_bit_in_the_blocks_is_noticed_refetched_and_counted(bench, saved):
    wanted = os.urandom(3 << 20)
    (saved.path / "small").write_bytes(wanted)
    saved.umount()
    flip_all_over(saved.cache / "blocks" / "data.mdb")
    saved.start()
    assert (saved.path / "small").read_bytes() == wanted
    assert saved.status()["cache"]["corrupt"] > 0


def test_a_flipped_bit_in_a_part_of_an_image_is_noticed_refetched_and_counted(bench, saved):
    wanted = (bench.mount("B").path / "f").read_bytes()
    saved.umount()
    saved.start("--prefetch-chunks", "0")
    with open(saved.path / "f", "rb") as file:
        assert file.read(1_000_000) == wanted[:1_000_000]
    saved.umount()
    flip_all_over(next((saved.cache / "images").glob("*.data")))
    saved.start()
    assert (saved.path / "f").read_bytes() == wanted
    assert saved.status()["cache"]["corrupt"] > 0


def test_full_cache_disk_slows_reads_but_never_fails_them(bench, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", small)
    try:
        writer = bench.mount("w")
        content = os.urandom(60_000_000)
        (writer.path / "f").write_bytes(content)
        reader = bench.mount("r", "--cache-size", "1GiB", start=False)
        reader.cache = small / "cache"
        reader.start()
        assert (reader.path / "f").read_bytes() == content
        with pytest.raises(OSError) as caught:
            (reader.path / "g").write_bytes(os.urandom(80_000_000))
        assert caught.value.errno == errno.ENOSPC
        assert (reader.path / "f").read_bytes() == content
        reader.umount()
    finally:
        for mount in bench.mounts:
            mount.end()
        run("umount", "-l", small)


def test_full_store_keeps_the_bytes_and_publishes_them_later(bench, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", disk)
    try:
        bench.url = f"dir:{disk}/store"
        cairnfs("init", bench.url)
        mount = bench.mount()
        (mount.path / "first").write_bytes(os.urandom(5_000_000))
        content = os.urandom(40_000_000)
        with pytest.raises(OSError) as caught:
            (mount.path / "second").write_bytes(content)
        assert caught.value.errno == errno.ENOSPC
        assert len((mount.path / "first").read_bytes()) == 5_000_000
        unpublished = mount.status()["unpublished"]
        assert len(unpublished) == 1 and unpublished[0]["path"].endswith("second"), unpublished
        mount.umount(ok=None)
        run("mount", "-o", "remount,size=128m", disk)
        mount.start()
        wait_until(lambda: not mount.status()["unpublished"])
        assert (mount.path / "second").read_bytes() == content
        assert bench.check().returncode == 0
        mount.umount()
    finally:
        for mount in bench.mounts:
            mount.end()
        run("umount", "-l", disk)


def test_store_on_a_read_only_disk_is_readable_and_refuses_writes(bench, store_directory):
    mount = bench.mount()
    (mount.path / "x").write_text("x")
    mount.umount()
    run("mount", "--bind", store_directory, store_directory)
    try:
        run("mount", "-o", "remount,bind,ro", store_directory)
        mount.start()
        assert (mount.path / "x").read_text() == "x"
        with pytest.raises(OSError) as caught:
            (mount.path / "y").write_text("y")
        assert caught.value.errno == errno.EROFS
        mount.umount()
    finally:
        mount.end()
        run("umount", "-l", store_directory)


def test_a_tebibyte_by_truncate_costs_nothing(bench, store_directory):
    mount = bench.mount()
    (mount.path / "t").touch()
    os.truncate(mount.path / "t", 1 << 40)
    with open(mount.path / "t", "r+b") as file:
        file.seek(1 << 39)
        file.write(b"middle")
    mount.restart()
    with open(mount.path / "t", "rb") as file:
        file.seek((1 << 39) - 3)
        assert file.read(12) == b"\0\0\0middle\0\0\0"
    assert (mount.path / "t").stat().st_size == 1 << 40
    assert sum(path.stat().st_size for path in chunks_of(store_directory)) < 100_000
