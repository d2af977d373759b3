"""Files that are in the cache as a whole: the kernel reads them by itself, where it can."""
import mmap
import os
import subprocess

import pytest

from conftest import run, wait_until

SIZE = 12 << 20


def native(mount):
    return mount.status()["files"]["native_reads"]


@pytest.fixture
def reader(bench):
    """A mount of its own, which has nothing in its cache; another one has saved `model`."""
    writer = bench.mount("writer")
    (writer.path / "model").write_bytes(content())
    mount = bench.mount("reader", "--revalidate", "0")
    if not native(mount)["possible"]:
        pytest.skip(native(mount)["why_not"])
    return mount


def content():
    return b"".join(number.to_bytes(8, "big") for number in range(SIZE // 8))


def read_until_native(mount, name="model"):
    """The image is whole, and known to be, soon after all chunks have come."""
    before = native(mount)["opens"]

    def read():
        assert (mount.path / name).read_bytes() == content()
        return native(mount)["opens"] > before
    wait_until(read)


def test_the_second_open_is_native_and_reads_nothing_from_the_daemon(reader):
    read_until_native(reader)
    answered = reader.status()["reads"]
    assert (reader.path / "model").read_bytes() == content()
    assert reader.status()["reads"] == answered
    reader.restart()
    assert (reader.path / "model").read_bytes() == content()
    assert native(reader)["opens"] == 1
    assert reader.status()["reads"]["fetched_bytes"] == 0


def test_who_has_a_mapping_from_before_keeps_nobody_from_native_reads(reader):
    with open(reader.path / "model", "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as early:
        assert early[:] == content()
        read_until_native(reader)
        assert early[:] == content()


def test_writing_in_place_is_seen_by_who_opens_the_file_then(reader):
    read_until_native(reader)
    with open(reader.path / "model", "rb") as before, open(reader.path / "model", "r+b", 0) as writer:
        writer.write(b"changed!")
        assert (reader.path / "model").read_bytes()[:16] == b"changed!" + content()[8:16]
        assert before.read() == content()
        count = native(reader)["opens"]
        assert (reader.path / "model").read_bytes()[:8] == b"changed!"
        assert native(reader)["opens"] == count, "it is alive"


def test_without_its_name_it_cannot_be_written_while_it_is_read(reader):
    read_until_native(reader)
    with open(reader.path / "model", "rb") as file:
        with pytest.raises(OSError, match="Text file busy"):
            os.open(f"/proc/self/fd/{file.fileno()}", os.O_RDWR)
        os.close(os.open(reader.path / "model", os.O_RDWR))


def test_it_can_be_executed(bench):
    mount = bench.mount("mnt")
    if not native(mount)["possible"]:
        pytest.skip(native(mount)["why_not"])
    program = mount.path / "program"
    with open("/bin/true", "rb") as file:
        program.write_bytes(file.read() + bytes(SIZE))
    program.chmod(0o755)
    for _ in range(3):
        assert subprocess.run([program], timeout=20).returncode == 0
        program.read_bytes()
    wait_until(lambda: subprocess.run([program], timeout=20).returncode == 0 and native(mount)["opens"] > 0)


@pytest.mark.parametrize("flags,reason", [(("--passthrough", "off"), "passthrough=off"),
                                          (("--cache-size", "0"), "cache.size is 0")])
def test_who_wants_none_gets_none_and_is_told_why(bench, flags, reason):
    mount = bench.mount("mnt", *flags)
    assert native(mount)["possible"] is False
    assert reason in native(mount)["why_not"]
    (mount.path / "model").write_bytes(content())
    for _ in range(2):
        assert (mount.path / "model").read_bytes() == content()
    assert native(mount)["opens"] == 0


@pytest.fixture
def overlay(tmp_path):
    """Mounts overlayfs over a directory; the path of what it shows, or None where it cannot lie there."""
    made = []

    def mount(lower):
        home = tmp_path / f"overlay{len(made)}"
        for name in ("upper", "work", "merged"):
            (home / name).mkdir(parents=True)
        options = f"lowerdir={lower},upperdir={home}/upper,workdir={home}/work"
        done = run("mount", "-t", "overlay", "-o", options, "overlay", home / "merged", ok=None)
        made.append(home / "merged")
        return home / "merged" if done.returncode == 0 else None
    yield mount
    for merged in reversed(made):
        run("umount", "-l", merged, ok=None)


def test_overlayfs_may_lie_over_a_mount(reader, overlay):
    read_until_native(reader)
    merged = overlay(reader.path)
    assert merged is not None
    assert (merged / "model").read_bytes() == content()


def test_the_cache_may_be_on_overlayfs(bench, tmp_path, overlay):
    (tmp_path / "lower").mkdir()
    merged = overlay(tmp_path / "lower")
    if merged is None:
        pytest.skip("the temporary directory is on overlayfs itself")
    mount = bench.mount("mnt", start=False)
    mount.cache = merged / "cache"
    mount.start()
    if not native(mount)["possible"]:
        pytest.skip(native(mount)["why_not"])
    (mount.path / "model").write_bytes(content())
    read_until_native(mount)
    mount.umount()
