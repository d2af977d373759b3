"""Copies within a mount: what arrives, and that nothing was read or sent for it."""
import errno
import mmap
import os
import random

import pytest

from conftest import run

MIB = 1 << 20


def traffic(mount):
    """What went over the wire for chunks, both ways."""
    status = mount.status()
    return [status["reads"][name] for name in ("fetched_bytes", "chunks_fetched")] + [
        status["writes"][name] for name in ("sent_bytes", "chunks_sent", "written_bytes")]


@pytest.fixture
def cold(bench):
    """A mount that has nothing of `model`, nor of its first version, in its cache."""
    mount = bench.mount()
    (mount.path / "model").write_bytes(os.urandom(40 * MIB))
    (mount.path / "model").write_bytes(os.urandom(50 * MIB + 13))
    mount.umount()
    cold = bench.mount("cold")
    return cold


@pytest.mark.parametrize("how", [(), ("--reflink=auto",), ("--sparse=never",), ("-a",)])
@pytest.mark.parametrize("source", ["model", ".versions/model/1"])
def test_cp_moves_no_chunk(cold, how, source):
    before = traffic(cold)
    run("cp", *how, cold.path / source, cold.path / "copy")
    os.sync()
    assert traffic(cold) == before
    run("cmp", cold.path / source, cold.path / "copy")


def test_other_hosts_see_the_copy_and_the_store_is_whole(bench, cold):
    run("cp", cold.path / ".versions/model/1", cold.path / "model")
    other = bench.mount("other")
    run("cmp", cold.path / ".versions/model/1", other.path / "model")
    bench.check()


def test_ranges_at_odd_offsets_are_what_a_local_disk_makes_of_them(mnt, tmp_path):
    seed = random.randrange(1 << 32)
    print("seed", seed)
    dice = random.Random(seed)
    content = dice.randbytes(9 * MIB + 77)
    trees = (mnt, tmp_path / "plain")
    trees[1].mkdir()
    for tree in trees:
        (tree / "source").write_bytes(content)
        (tree / "target").write_bytes(content[: 3 * MIB][::-1])
    for step in range(25):
        start = dice.choice([0, dice.randrange(len(content))])
        at = dice.choice([start, 0, dice.randrange(6 * MIB)])
        length = dice.choice([dice.randrange(1, 5000), dice.randrange(1, 6 * MIB), len(content)])
        flags = os.O_RDWR | (os.O_TRUNC if dice.random() < 0.2 else 0)
        moved = []
        for tree in trees:
            source, target = os.open(tree / "source", os.O_RDONLY), os.open(tree / "target", flags)
            done = 0
            while done < length:
                count = os.copy_file_range(source, target, length - done, start + done, at + done)
                if count == 0:
                    break
                done += count
            moved.append(done)
            os.close(source)
            os.close(target)
        assert moved[0] == moved[1]
        run("cmp", trees[0] / "target", trees[1] / "target")


def test_a_copy_sees_what_was_written_and_not_closed_and_through_a_mapping(mnt):
    (mnt / "m").write_bytes(b"a" * MIB)
    with open(mnt / "m", "r+b", 0) as file:
        file.write(b"first")
        with mmap.mmap(file.fileno(), MIB) as view:
            view[-4:] = b"last"
            run("cp", mnt / "m", mnt / "copy")
    copied = (mnt / "copy").read_bytes()
    assert (copied[:5], copied[-4:], len(copied)) == (b"first", b"last", MIB)


def test_pages_of_the_target_are_not_stale_afterwards(mnt):
    (mnt / "from").write_bytes(b"n" * 300_000)
    (mnt / "to").write_bytes(b"o" * 300_000)
    with open(mnt / "from", "rb") as source, open(mnt / "to", "r+b") as target:
        assert target.read() == b"o" * 300_000
        assert os.copy_file_range(source.fileno(), target.fileno(), 100_000, 50_001, 70_003) == 100_000
        expected = b"o" * 70_003 + b"n" * 100_000 + b"o" * (300_000 - 170_003)
        assert os.pread(target.fileno(), 300_000, 0) == expected


def test_sparse_files_stay_sparse(mnt):
    with open(mnt / "sparse", "wb") as file:
        file.truncate(1 << 40)
        file.seek(1 << 39)
        file.write(b"middle")
    with open(mnt / "sparse", "rb") as source, open(mnt / "whole", "wb") as target:
        while os.copy_file_range(source.fileno(), target.fileno(), 1 << 40) > 0:
            pass
    run("cp", mnt / "sparse", mnt / "copy")
    for name in ("whole", "copy"):
        assert os.stat(mnt / name).st_size == 1 << 40
        assert os.stat(mnt / name).st_blocks <= os.stat(mnt / "sparse").st_blocks
        with open(mnt / name, "rb") as file:
            file.seek(1 << 39)
            assert file.read(6) == b"middle"


def test_what_posix_refuses_is_refused(mnt):
    (mnt / "m").write_bytes(b"0123456789")
    with open(mnt / "log", "ab") as appender, open(mnt / "m", "r+b") as file:
        for target, expected in ((appender, errno.EBADF), (file, errno.EINVAL)):
            with pytest.raises(OSError) as refused:
                os.copy_file_range(file.fileno(), target.fileno(), 5, 0, 3)
            assert refused.value.errno == expected


def test_a_copy_from_one_mount_to_another_is_an_ordinary_one(hosts):
    a, b = (host.path for host in hosts)
    content = os.urandom(5 * MIB)
    (a / "m").write_bytes(content)
    run("cp", a / "m", b / "copy")
    assert (a / "copy").read_bytes() == content
