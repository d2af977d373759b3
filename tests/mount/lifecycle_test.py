"""Mounting, unmounting, and the bad input that each can meet: a clear error, nothing left behind."""
import json
import os
import shutil
import signal
import subprocess
import time

import pytest

from conftest import cairnfs, is_running, run, wait_until


def explains(done, *words):
    text = done.stdout + done.stderr
    assert done.returncode != 0, text
    for word in words:
        assert word in text, f"{word!r} is not in: {text}"
    assert text.count("\n") <= 4, f"a person must read this: {text}"


def test_mount_says_what_is_wrong_with_the_mountpoint(bench, tmp_path):
    mount = bench.mount(start=False)
    missing = tmp_path / "nowhere"
    explains(cairnfs("mount", bench.url, missing, ok=False), str(missing), "mkdir")
    (tmp_path / "file").write_text("")
    explains(cairnfs("mount", bench.url, tmp_path / "file", ok=False), "not a directory")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("")
    explains(cairnfs("mount", bench.url, tmp_path / "full", ok=False), "not empty")
    mount.start()
    explains(cairnfs("mount", bench.url, mount.path, "--cache-dir", tmp_path / "other", ok=False), "already")


def test_mount_says_what_is_wrong_with_the_store(bench, store_directory, tmp_path):
    mount = bench.mount(start=False)
    mount.store = f"dir:{tmp_path}/no-store"
    explains(mount.start(ok=False), "no-store", "cairnfs init")
    mount.store = "gopher:x"
    explains(mount.start(ok=False), "gopher", "dir:")
    format_file = store_directory / "cairn.format"
    good = format_file.read_text()
    mount.store = bench.url
    os.chmod(format_file, 0o644)
    for bad, words in ((json.dumps({**json.loads(good), "format": 99}), ["99", "newer"]), (good[:20], ["cairn.format"])):
        format_file.write_text(bad)
        explains(mount.start(ok=False), *words)
    format_file.write_text(good)
    mount.start()


def test_a_second_daemon_on_one_cache_is_refused(bench):
    first = bench.mount("one")
    second = bench.mount("two", start=False)
    second.cache = first.cache
    explains(second.start(ok=False), "in use", str(first.pid), "--cache-dir")


def test_unknown_settings_name_the_one_that_was_meant(bench, tmp_path):
    mount = bench.mount(start=False)
    config = tmp_path / "c.toml"
    config.write_text('[cache]\nsizee = "1GiB"\n')
    explains(mount.start("--config", config, ok=False), "c.toml", "sizee", "size")
    explains(mount.start("--cache-sizee", "1GiB", ok=False), "cache-sizee")
    explains(mount.start("-o", "cache-sizee=1GiB", ok=False), "cache-sizee")
    explains(mount.start("--cache-size", "many", ok=False), "many")


def test_mount_8_and_fstab_options_work(bench, tmp_path):
    mount = bench.mount(start=False)
    mount.path.mkdir()
    helper = os.path.join(os.path.dirname(__file__), "../../packaging/mount.fuse.cairnfs")
    path = f"{os.path.dirname(os.environ['CAIRNFS'])}:{os.environ['PATH']}"
    options = f"rw,nosuid,nodev,_netdev,noauto,x-systemd.automount,cache-dir={mount.cache},revalidate=0"
    run(helper, bench.url, mount.path, "-o", options, env={**os.environ, "PATH": path})
    mount.pid = mount.status()["pid"]
    (mount.path / "x").write_text("x")
    with open("/proc/self/mountinfo") as table:
        line = next(line for line in table if str(mount.path) in line)
    assert " fuse.cairnfs " in line and bench.url in line and "nosuid" in line and "nodev" in line
    mount.umount()


def test_read_only_mount_refuses_writes(bench):
    writer = bench.mount("w")
    (writer.path / "x").write_text("x")
    reader = bench.mount("r", "--read-only")
    assert (reader.path / "x").read_text() == "x"
    for attempt in (lambda: (reader.path / "y").write_text("y"), lambda: (reader.path / "x").unlink(),
                    lambda: (reader.path / "x").write_text("z")):
        with pytest.raises(OSError, match="Read-only"):
            attempt()


def test_umount_publishes_what_is_pending(bench):
    mount = bench.mount()
    (mount.path / "empty").touch()
    os.symlink("a", mount.path / "link")
    mount.restart()
    assert sorted(os.listdir(mount.path)) == ["empty", "link"]


def test_sigterm_ends_in_bounded_time_with_files_open_and_leaves_no_mount(bench):
    mount = bench.mount("mnt", "--shutdown-timeout", "5s")
    fd = os.open(mount.path / "open", os.O_CREAT | os.O_WRONLY)
    os.write(fd, b"x" * 5_000_000)
    started = time.monotonic()
    os.kill(mount.pid, signal.SIGTERM)
    wait_until(lambda: not is_running(mount.pid), 15)
    assert time.monotonic() - started < 12
    mount.pid = None
    with pytest.raises(OSError, match="not connected"):
        os.close(fd)
    with open("/proc/self/mountinfo") as table:
        assert str(mount.path) not in table.read()
    mount.start()
    assert (mount.path / "open").stat().st_size == 5_000_000  # an orderly end publishes what is open


def test_sigkilled_reader_and_writer_leave_no_stuck_process(bench):
    mount = bench.mount()
    (mount.path / "big").write_bytes(os.urandom(30_000_000))
    mount.restart()
    for command in (f"cat {mount.path}/big {mount.path}/big > /dev/null", f"cat /dev/urandom > {mount.path}/out"):
        process = subprocess.Popen(["sh", "-c", f"exec {command}"])
        time.sleep(0.1)  # somewhere in the middle
        process.kill()
        process.wait(timeout=10)
    assert (mount.path / "big").stat().st_size == 30_000_000


def test_a_dead_daemons_mount_can_be_mounted_over_after_umount(bench):
    mount = bench.mount()
    (mount.path / "x").write_text("x")
    pid = mount.pid
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not is_running(pid))
    mount.pid = None
    assert cairnfs("status", ok=None, timeout=20).returncode in (0, 1)
    cairnfs("umount", mount.path)
    mount.start()
    assert (mount.path / "x").read_text() == "x"


@pytest.mark.parametrize("flags", [[], ["--force"]])
def test_a_dead_daemons_mount_goes_though_files_are_open_and_the_kernel_remembers_it(bench, flags):
    mount = bench.mount("mnt", "--revalidate", "10m")
    file = os.open(mount.path / "open", os.O_CREAT | os.O_WRONLY)
    pid = mount.pid
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not is_running(pid))
    mount.pid = None
    assert "gone already" in cairnfs("umount", *flags, mount.path).stdout
    assert not os.path.ismount(mount.path)
    with pytest.raises(OSError, match="not connected"):
        os.close(file)


def test_prefetch_makes_the_store_unnecessary(bench, store_directory):
    mount = bench.mount()
    (mount.path / "d").mkdir()
    (mount.path / "d" / "m").write_bytes(os.urandom(20_000_000))
    mount.restart()
    done = cairnfs("prefetch", mount.path / "d")
    assert "19.1 MiB" in done.stdout or "19 MiB" in done.stdout
    shutil.rmtree(store_directory / "chunks")
    assert len((mount.path / "d" / "m").read_bytes()) == 20_000_000


def test_log_lists_versions_online_and_offline(bench):
    mount = bench.mount()
    for size in (10, 5_000_000, 20):
        (mount.path / "f").write_bytes(b"y" * size)
    online = json.loads(cairnfs("log", "--json", mount.path / "f").stdout)
    offline = json.loads(cairnfs("log", "--json", "--store", bench.url, "/f").stdout)
    assert [version["size"] for version in online["versions"]] == [10, 5_000_000, 20]
    assert online["versions"] == offline["versions"]
    explains(cairnfs("log", mount.path / "none", ok=False), "none")
