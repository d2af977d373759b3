"""What was fetched is here: the second read, the next daemon, the next version and whoever saved it fetch nothing."""
import os
import signal

import pytest

from conftest import wait_until

MIB = 1 << 20


def drop_page_cache():
    os.sync()
    with open("/proc/sys/vm/drop_caches", "w") as control:
        control.write("1")


def fetched(mount):
    return mount.status()["reads"]["chunks_fetched"]


def images(mount):
    return mount.status()["cache"]["images"]


@pytest.fixture
def large(bench):
    """A file of 30 MiB that another host has saved, and a mount that has not seen it."""
    content = os.urandom(30 * MIB)
    (bench.mount("writer").path / "large").write_bytes(content)
    return bench.mount("reader"), content


def test_the_second_read_and_the_next_daemon_fetch_nothing(large):
    mount, content = large
    assert (mount.path / "large").read_bytes() == content
    assert fetched(mount) == 8
    drop_page_cache()
    assert (mount.path / "large").read_bytes() == content
    assert fetched(mount) == 8
    mount.umount()
    mount.start()
    assert (mount.path / "large").read_bytes() == content
    assert fetched(mount) == 0
    assert images(mount)["whole"] == 1


def test_what_two_versions_share_is_fetched_once(bench, large):
    mount, content = large
    assert (mount.path / "large").read_bytes() == content
    with open(bench.home / "writer" / "large", "r+b") as file:
        file.seek(13 * MIB)
        file.write(b"changed")
    changed = content[:13 * MIB] + b"changed" + content[13 * MIB + 7:]
    wait_until(lambda: (mount.path / "large").read_bytes() == changed)
    assert fetched(mount) == 9
    drop_page_cache()
    assert (mount.path / "large").read_bytes() == changed
    assert (mount.path / ".versions" / "large" / "1").read_bytes() == content
    assert fetched(mount) == 9


def test_what_was_saved_is_read_back_without_the_store(bench):
    mount = bench.mount()
    for name, size in (("large", 30 * MIB), ("medium", 4 * MIB + 1), ("small", 100_000)):
        content = os.urandom(size)
        (mount.path / name).write_bytes(content)
        drop_page_cache()
        assert (mount.path / name).read_bytes() == content
    with open(mount.path / "large", "r+b") as file:
        file.seek(5 * MIB)
        file.write(b"changed")
    drop_page_cache()
    with open(mount.path / "large", "rb") as file:
        file.seek(5 * MIB)
        assert file.read(7) == b"changed"
        assert len(file.read()) == 25 * MIB - 7
    assert fetched(mount) == 0


def test_a_daemon_killed_in_the_middle_of_a_cold_read_leaves_nothing_wrong(large):
    mount, content = large
    with open(mount.path / "large", "rb") as file:
        assert file.read(15 * MIB) == content[:15 * MIB]
        mount.kill(signal.SIGKILL)
    mount.start()
    assert (mount.path / "large").read_bytes() == content
    drop_page_cache()
    before = fetched(mount)
    assert (mount.path / "large").read_bytes() == content
    assert fetched(mount) == before


def test_a_file_larger_than_the_cache_is_read_all_the_same(bench):
    content = os.urandom(200 * MIB)
    (bench.mount("writer").path / "large").write_bytes(content)
    mount = bench.mount("reader", "--cache-size", "128MiB")
    for _ in range(2):
        assert (mount.path / "large").read_bytes() == content
        drop_page_cache()
    cache = mount.status()["cache"]
    assert cache["used_bytes"] <= cache["capacity_bytes"] == 128 * MIB


def test_the_least_recently_used_file_gives_way(bench):
    writer = bench.mount("writer")
    contents = {name: os.urandom(50 * MIB) for name in "abc"}
    for name, content in contents.items():
        (writer.path / name).write_bytes(content)
    mount = bench.mount("reader", "--cache-size", "128MiB")
    for name in "abac":
        assert (mount.path / name).read_bytes() == contents[name]
        drop_page_cache()
    before = fetched(mount)
    assert (mount.path / "a").read_bytes() == contents["a"]
    assert fetched(mount) == before
    assert images(mount)["evicted"] == 1
