"""--commit async: closes that return before their commit lose nothing with the daemon, and keep their order."""
import os
import sys
import threading

import pytest

from conftest import cairnfs, run

ASYNC = ("--commit", "async", "--revalidate", "0")


@pytest.fixture
def writer(bench):
    return bench.mount("W", *ASYNC)


@pytest.fixture
def reader(bench):
    return bench.mount("R", "--revalidate", "0")


def save(directory, numbers):
    for number in numbers:
        (directory / str(number)).write_text(f"content {number}")


def test_a_kill_right_after_the_last_close_loses_nothing(writer, reader):
    save(writer.path, range(200))
    (writer.path / "large").write_bytes(bytes(range(256)) * 20_000)
    (writer.path / "DONE").touch()
    writer.kill()
    writer.start()
    assert (writer.path / "199").read_text() == "content 199"
    cairnfs("sync", writer.path)
    assert len(os.listdir(reader.path)) == 202
    assert [(reader.path / str(n)).read_text() for n in range(200)] == [f"content {n}" for n in range(200)]
    assert (reader.path / "large").read_bytes() == bytes(range(256)) * 20_000
    assert writer.status()["unpublished"] == []


def test_other_hosts_see_a_beginning_of_the_order_at_every_moment(writer, reader):
    last = 600
    folders = ["a", "b"]
    for folder in folders:
        (writer.path / folder).mkdir()

    def write():
        for number in range(last):  # runs of three, so that the order crosses directories
            (writer.path / folders[number // 3 % 2] / str(number)).write_text(str(number))
        cairnfs("sync", writer.path)

    thread = threading.Thread(target=write)
    thread.start()
    seen = 0
    while seen < last:
        is_over = not thread.is_alive()
        # What is listed later has at least what was there when the first was listed.
        second = {int(name) for name in os.listdir(reader.path / "b")}
        first = {int(name) for name in os.listdir(reader.path / "a")}
        for number in range(max(second, default=-1)):
            assert number in (second if number // 3 % 2 else first), f"{max(second)} is seen before {number}"
        for number in first | second:
            content = (reader.path / folders[number // 3 % 2] / str(number)).read_text()
            assert content in ("", str(number))
        seen = len(first | second)
        assert not is_over or seen == last
    thread.join()


def test_unmounting_publishes_what_waits(writer, reader):
    save(writer.path, range(100))
    assert writer.umount().returncode == 0
    assert len(os.listdir(reader.path)) == 100


def test_fsync_and_rename_mean_the_store(writer, reader):
    (writer.path / "tmp").mkdir()
    save(writer.path / "tmp", range(20))
    os.rename(writer.path / "tmp", writer.path / "ckpt")
    assert len(os.listdir(reader.path / "ckpt")) == 20
    save(writer.path, range(20))
    with open(writer.path / "synced", "w") as file:
        file.write("synced")
        file.flush()
        os.fsync(file.fileno())
        assert (reader.path / "synced").read_text() == "synced"
        assert (reader.path / "19").read_text() == "content 19"


def test_status_tells_what_waits_and_sync_waits_for_it(bench):
    mount = bench.mount("slow", "--commit", "async", "--commit-delay", "1m")
    save(mount.path, range(10))
    queue = mount.status()["queue"]
    assert queue["commit"] == "async" and queue["closes"] == 10 and queue["bytes"] == 90 and queue["oldest_ns"] > 0
    assert "10 closes" in cairnfs("status", mount.path).stdout
    assert cairnfs("kept", "list", mount.path).stdout.count("queued") == 10
    assert mount.status()["unpublished"] == []
    cairnfs("sync", mount.path)
    assert mount.status()["queue"]["closes"] == 0
    assert cairnfs("kept", "list", mount.path).stdout == ""


REPOSITORY = """
import os, random, subprocess, sys
os.makedirs(sys.argv[1])
os.chdir(sys.argv[1])
rng = random.Random(7)
for d in range(20):
    os.makedirs(f"d{d}/sub")
    for f in range(15):
        with open(f"d{d}/{'sub/' if f % 3 else ''}f{f}", "wb") as file:
            file.write(rng.randbytes(rng.randrange(0, 9000)))
os.symlink("d0/f0", "link")
git = ["git", "-c", "user.name=t", "-c", "user.email=t@t"]
subprocess.run(["git", "init", "-q"], check=True)
subprocess.run(["git", "add", "."], check=True)
subprocess.run([*git, "commit", "-q", "-m", "all"], check=True)
"""


def test_a_clone_is_whole_on_the_other_host(writer, reader, tmp_path):
    run(sys.executable, "-c", REPOSITORY, tmp_path / "repository")
    run("git", "clone", "-q", tmp_path / "repository", writer.path / "clone", timeout=120)
    assert run("git", "-C", writer.path / "clone", "status", "--porcelain").stdout == ""
    cairnfs("sync", writer.path)
    trust = ("-c", f"safe.directory={reader.path / 'clone'}")
    run("git", *trust, "-C", reader.path / "clone", "fsck", "--full", "--strict")
    assert run("git", *trust, "-C", reader.path / "clone", "status", "--porcelain").stdout == ""


def test_what_cannot_be_published_is_told_by_sync_once(bench, writer, reader):
    mount = bench.mount("held", "--commit", "async", "--commit-delay", "1m", "--revalidate", "0")
    (mount.path / "name").write_text("a file")
    (reader.path / "name").mkdir()
    told = cairnfs("sync", mount.path, ok=False)
    assert told.returncode == 1 and "name" in told.stderr
    assert cairnfs("sync", mount.path).returncode == 0
    assert [kept["state"] for kept in mount.status()["unpublished"]] == ["undecided"]


def test_a_word_that_is_no_way_to_commit_is_refused(bench):
    done = bench.mount("x", start=False).start("--commit", "later", ok=False)
    assert done.returncode == 2 and "close|async" in done.stderr
