"""Files that the kernel reaches without their names, names that change all the time, and files that are polled."""
import contextlib
import os
import subprocess
import threading

import pytest

from conftest import run, wait_until


@contextlib.contextmanager
def bound(source, target):
    target.touch()
    run("mount", "--bind", source, target)
    try:
        yield target
    finally:
        run("umount", target, ok=None)


def test_bind_mounted_file_shows_every_publication(hosts, tmp_path):
    a, b = (host.path for host in hosts)
    (a / "config.json").write_text("v1")
    with bound(a / "config.json", tmp_path / "one") as one:
        for content in ("v2", "a longer third", "4", "v5" * 100_000, ""):
            (b / "config.json").write_text(content)
            assert one.stat().st_size == len(content)
            (b / "config.json").write_text(content + "!")
            assert one.read_text() == content + "!"
            assert one.stat().st_size == len(content) + 1


def test_bind_mounted_file_can_be_written(hosts, tmp_path):
    a, b = (host.path for host in hosts)
    (a / "state").write_text("v1")
    with bound(a / "state", tmp_path / "one") as one:
        (b / "state").write_text("from b")
        with open(one, "a") as file:
            file.write(", and from a")
        assert (b / "state").read_text() == "from b, and from a"
        (b / "state").write_text("again from b")
        os.truncate(one, 5)
        assert (b / "state").read_text() == "again"


def test_descriptor_can_be_opened_again_whatever_happens_to_its_name(hosts):
    a, b = (host.path for host in hosts)
    (a / "f").write_text("old")
    with open(a / "f") as held:
        again = f"/proc/self/fd/{held.fileno()}"
        (b / "f").write_text("new, and longer")
        assert open(again).read() == "old"  # a descriptor keeps its version, and so does the file that it stands for
        (b / "g").write_text("another file")
        os.rename(b / "g", b / "f")
        assert open(again).read() == "old"
        os.unlink(b / "f")
        assert open(again).read() == "old"


@pytest.mark.parametrize("publish", ["in place", "by rename"])
def test_name_that_is_republished_all_the_time_opens_every_time(hosts, publish):
    a, b = (host.path for host in hosts)
    (a / "latest").write_text("0")
    stop = threading.Event()

    def republish():
        number = 0
        while not stop.wait(0.01):
            number += 1
            name = b / ("latest" if publish == "in place" else "latest.tmp")
            name.write_text(str(number))
            if name.name != "latest":
                os.rename(name, b / "latest")

    writer = threading.Thread(target=republish)
    writer.start()
    try:
        seen = [int((a / "latest").read_text() or 0) for _ in range(1000)]
    finally:
        stop.set()
        writer.join()
    assert seen == sorted(seen) and seen[-1] > seen[0]


def test_tail_follows_what_another_host_appends(hosts, tmp_path):
    a, b = (host.path for host in hosts)
    (a / "train.log").write_text("line 1\n")
    with open(tmp_path / "seen", "wb") as seen:
        tail = subprocess.Popen(["tail", "-F", "-s", "0.1", b / "train.log"], stdout=seen, stderr=subprocess.DEVNULL)
        try:
            for number in range(2, 6):
                wait_until(lambda: f"line {number - 1}\n" in (tmp_path / "seen").read_text())
                with open(a / "train.log", "a") as log:
                    log.write(f"line {number}\n")
            wait_until(lambda: "line 5\n" in (tmp_path / "seen").read_text())
        finally:
            tail.kill()
            tail.wait()
    assert (tmp_path / "seen").read_text() == "".join(f"line {number}\n" for number in range(1, 6))


def test_open_reader_sees_appended_bytes_and_no_zeros_before_them(hosts):
    a, b = (host.path for host in hosts)
    (a / "log").write_bytes(b"x" * 5000)
    whole = b"x" * 5000
    with open(b / "log", "rb", buffering=0) as reader:
        assert reader.read(1 << 20) == whole
        for size in (1, 3000, 200_000, 5_000_000):
            piece = os.urandom(size)
            with open(a / "log", "ab") as writer:
                writer.write(piece)
            whole += piece
            got = b""
            while len(got) < size:
                os.fstat(reader.fileno())
                got += reader.read(1 << 20)
            assert got == piece
        assert os.pread(reader.fileno(), len(whole) + 1, 0) == whole


def test_open_reader_keeps_its_version_when_a_byte_before_its_end_changes(hosts):
    a, b = (host.path for host in hosts)
    (a / "log").write_text("one\n")
    with open(b / "log", "rb", buffering=0) as reader:
        assert reader.read(100) == b"one\n"
        (a / "log").write_text("ONE\ntwo\n")
        assert os.fstat(reader.fileno()).st_size == 4
        assert os.pread(reader.fileno(), 100, 0) == b"one\n" and reader.read(100) == b""
