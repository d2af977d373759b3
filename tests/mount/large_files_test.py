"""Files larger than what may be staged of them, and what a crash leaves of those that were never closed."""
import contextlib
import hashlib
import json
import os
import random
import threading

import pytest

from conftest import cairnfs, run, wait_until

MIB = 1 << 20
LITTLE = ("--staging-size", "16MiB", "--cache-size", "32MiB")


def digest_of(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else \
            hashlib.sha256(file.read()).hexdigest()


def write_large(path, mebibytes, seed):
    """Returns the digest of what was written."""
    rng, digest = random.Random(seed), hashlib.sha256()
    with open(path, "wb", buffering=0) as file:
        for _ in range(mebibytes):
            piece = rng.randbytes(MIB)
            assert file.write(piece) == MIB
            digest.update(piece)
    return digest.hexdigest()


def staged(mount):
    return mount.status()["staging"]


def kept(*arguments):
    return json.loads(cairnfs("kept", "list", "--json", *arguments).stdout)["kept"]


def test_file_larger_than_the_disk_of_the_cache_is_saved(bench, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=100M", "tmpfs", small)
    try:
        mount = bench.mount("mnt", "--cache-size", "32MiB", start=False)
        mount.cache = small / "cache"
        mount.start()
        wanted = write_large(mount.path / "large", 200, 1)
        assert digest_of(mount.path / "large") == wanted
        assert staged(mount)["used_bytes"] == 0
        mount.umount()
    finally:
        bench.mounts[0].end()
        run("umount", "-l", small, ok=None)
    bench.check()


def test_writers_of_large_files_share_the_bound(bench):
    mount = bench.mount("mnt", *LITTLE)
    wanted = {}

    def write(name):
        wanted[name] = write_large(mount.path / name, 48, name)

    writers = [threading.Thread(target=write, args=(f"f{number}",)) for number in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert {name: digest_of(mount.path / name) for name in wanted} == wanted
    assert len(wanted) == 3


@pytest.mark.parametrize("seed", range(3))
def test_rewritten_cut_and_read_back_it_has_the_bytes_of_a_local_file(bench, tmp_path, seed):
    rng = random.Random(seed)
    mount = bench.mount("mnt", *LITTLE)
    first = os.open(mount.path / "f", os.O_RDWR | os.O_CREAT)
    second = os.open(mount.path / "f", os.O_RDWR)
    local = os.open(tmp_path / "f", os.O_RDWR | os.O_CREAT)

    def write(offset, size):
        piece = rng.randbytes(size)
        os.pwrite(rng.choice((first, second)), piece, offset)
        os.pwrite(local, piece, offset)

    for at in range(40):
        write(at * MIB, MIB)
    for _ in range(60):
        size = os.fstat(local).st_size
        offset = rng.randrange(size)
        if rng.random() < 0.8:
            write(offset, rng.choice((1, 4096, 5000, 3 * MIB)))
        else:
            end = max(size - rng.randrange(2 * MIB), 1) if rng.random() < 0.5 else size + rng.randrange(2 * MIB)
            os.ftruncate(first, end)
            os.ftruncate(local, end)
        assert os.pread(second, 100_000, offset) == os.pread(local, 100_000, offset)
        assert staged(mount)["used_bytes"] <= 16 * MIB
    for descriptor in (first, second, local):
        os.close(descriptor)
    assert digest_of(mount.path / "f") == digest_of(tmp_path / "f")


def test_a_crash_leaves_all_of_a_large_file_to_be_exported_and_publishes_nothing(bench, tmp_path):
    mount = bench.mount("mnt", *LITTLE)
    (mount.path / "f").write_bytes(b"published")
    file = os.open(mount.path / "f", os.O_RDWR)
    wanted = hashlib.sha256()
    for seed in range(40):
        piece = random.Random(seed).randbytes(MIB)
        os.pwrite(file, piece, seed * MIB)
        wanted.update(piece)
    mount.kill()
    with contextlib.suppress(OSError):
        os.close(file)
    found = kept("--cache-dir", mount.cache)
    assert [(draft["path"], draft["state"], draft["size"]) for draft in found] == [("f", "never closed", 40 * MIB)]
    number = found[0]["number"]
    refused = cairnfs("kept", "export", number, tmp_path / "no", "--cache-dir", mount.cache, ok=False)
    assert "--store" in refused.stderr
    cairnfs("kept", "export", number, tmp_path / "out", "--cache-dir", mount.cache, "--store", bench.url)
    assert digest_of(tmp_path / "out") == wanted.hexdigest()
    mount.start()
    assert (mount.path / "f").read_bytes() == b"published"
    cairnfs("kept", "export", number, tmp_path / "again", mount.path)
    assert digest_of(tmp_path / "again") == wanted.hexdigest()
    mount.restart()
    assert (mount.path / "f").read_bytes() == b"published"
    assert kept(mount.path)[0]["state"] == "never closed"


def test_a_store_that_takes_nothing_is_no_space_after_the_timeout_and_the_log_says_what_to_do(bench, store_directory):
    mount = bench.mount("mnt", *LITTLE, "--timeout", "2s")
    before = os.urandom(300_000)
    (mount.path / "before").write_bytes(before)
    run("mount", "-t", "tmpfs", "-o", "size=4k,ro", "tmpfs", store_directory / "chunks")
    try:
        file = os.open(mount.path / "f", os.O_WRONLY | os.O_CREAT)
        with pytest.raises(OSError, match="No space"):
            for _ in range(40):
                os.write(file, os.urandom(MIB))
        with contextlib.suppress(OSError):
            os.close(file)
    finally:
        run("umount", "-l", store_directory / "chunks")
    assert (mount.path / "before").read_bytes() == before
    with open(mount.status()["log_file"], encoding="utf-8") as log:
        assert "staging-size" in log.read()
    wait_until(lambda: staged(mount)["used_bytes"] == 0)  # what the failed close kept is published by then
    wanted = write_large(mount.path / "g", 24, 2)
    assert digest_of(mount.path / "g") == wanted
