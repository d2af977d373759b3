"""A store whose file system hangs: its server is stopped, so calls below the mount under test never return. Whoever uses
that mount gets an error within its bounds, can be killed, and the mount can be taken down."""
import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest

from conftest import Mount, cairnfs, is_running, run, wait_until

OPERATION_TIMEOUT = 2
SHUTDOWN_TIMEOUT = 2
PATIENCE = 20  # until something counts as hanging
SIGNAL_PATIENCE = 5  # until a signal has ended a call


def is_stopped(stat):
    return stat.read_text().rsplit(")", 1)[1].split()[0] == "T"


class HangingStore:
    """A store in a directory that another mount serves, and whose server can be stopped and continued."""

    def __init__(self, bench, timeout, revalidate="0"):
        self.server = bench.mount("below")
        self.connections = bench.home / "connections"
        self.connections.mkdir()
        run("mount", "-t", "fusectl", "none", self.connections)  # not everywhere in /sys
        self.requests = self.connections / str(os.minor(self.server.path.stat().st_dev)) / "waiting"
        self.url = f"dir:{self.server.path}/store"
        cairnfs("init", self.url)
        self.mount = Mount(self.url, bench.home / "mnt", bench.home / "mnt.cache", "--revalidate", revalidate,
                           "--timeout", f"{timeout}s", "--shutdown-timeout", f"{SHUTDOWN_TIMEOUT}s")
        self.mount.start()

    def is_asked(self):
        """Somebody waits for the server."""
        return int(self.requests.read_text()) > 0

    def hang(self):
        """Between two requests. One that the server has taken holds its caller in the kernel, where no signal ends it: a
        daemon that was killed would stay as a dead process until the server goes on."""
        wait_until(self.stopped_between_requests)

    def stopped_between_requests(self):
        os.kill(self.server.pid, signal.SIGSTOP)
        threads = list(pathlib.Path(f"/proc/{self.server.pid}/task").glob("*/stat"))
        wait_until(lambda: all(is_stopped(thread) for thread in threads))
        if not self.is_asked():
            return True
        self.go_on()
        return False

    def go_on(self):
        os.kill(self.server.pid, signal.SIGCONT)

    def end(self):
        """The server first: while it is stopped, what hangs in it cannot be killed."""
        self.go_on()
        self.mount.end()
        run("umount", "-l", self.connections, ok=None)


@pytest.fixture(autouse=True)
def without_leak_check(monkeypatch):
    """At its end a sanitized daemon would stop all its threads to look for leaks; those that hang cannot be stopped."""
    monkeypatch.setenv("ASAN_OPTIONS", "detect_leaks=0")


@pytest.fixture
def timeout():
    return OPERATION_TIMEOUT


@pytest.fixture
def hanging(bench, timeout):
    store = HangingStore(bench, timeout)
    (store.mount.path / "d").mkdir()
    (store.mount.path / "d" / "f").write_bytes(os.urandom(9_000_000))
    store.mount.umount()
    shutil.rmtree(store.mount.cache)  # so that reading it needs the store
    store.mount.start()
    yield store
    store.end()


def seconds_of(*command, ok=None):
    started = time.monotonic()
    done = run(*command, ok=ok, timeout=PATIENCE)
    return time.monotonic() - started, done


def test_calls_fail_within_their_timeout(hanging):
    hanging.hang()
    for command in (["ls", hanging.mount.path / "d"], ["cat", hanging.mount.path / "d" / "f"],
                    ["touch", hanging.mount.path / "d" / "new"]):
        seconds, done = seconds_of(*command, ok=False)
        assert seconds < OPERATION_TIMEOUT * 6, f"{command} took {seconds} s"  # touch asks for several things
        assert done.stderr, command


# Where calls would wait for a minute, so that what ends them is the signal.
patiently = pytest.mark.parametrize("timeout", [60])


@patiently
def test_a_killed_process_ends_at_once(hanging):
    hanging.hang()
    readers = [subprocess.Popen([command, hanging.mount.path / "d" / "f"], stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL) for command in ("cat", "stat", "head") * 3]
    wait_until(hanging.is_asked)
    for reader in readers:
        reader.kill()
    started = time.monotonic()
    for reader in readers:
        reader.wait(timeout=PATIENCE)
    assert time.monotonic() - started < SIGNAL_PATIENCE


@patiently
def test_an_interrupted_process_ends_at_once(hanging):
    hanging.hang()
    reader = subprocess.Popen(["cat", hanging.mount.path / "d" / "f"], stderr=subprocess.DEVNULL)
    wait_until(hanging.is_asked)
    started = time.monotonic()
    reader.send_signal(signal.SIGINT)
    reader.wait(timeout=PATIENCE)
    assert time.monotonic() - started < SIGNAL_PATIENCE


def test_status_answers(hanging):
    hanging.hang()
    seconds_of("ls", hanging.mount.path / "d")
    started = time.monotonic()
    assert hanging.mount.status()["pid"] == hanging.mount.pid
    assert time.monotonic() - started < OPERATION_TIMEOUT
    every = cairnfs("status", ok=None)  # the stopped server is one of them
    assert every.returncode == 1 and str(hanging.mount.path) in every.stdout, every


def test_all_is_well_once_the_server_goes_on(hanging):
    hanging.hang()
    for _ in range(3):
        seconds_of("cat", hanging.mount.path / "d" / "f", ok=False)
    hanging.go_on()
    wait_until(lambda: run("cat", hanging.mount.path / "d" / "f", ok=None).returncode == 0)
    (hanging.mount.path / "d" / "g").write_text("g")
    hanging.mount.umount()
    cairnfs("check", hanging.url, "--read-data")


def test_umount_ends_and_keeps_what_it_cannot_publish(hanging):
    file = open(hanging.mount.path / "d" / "kept", "wb", buffering=0)
    content = os.urandom(3_000_000)
    file.write(content)
    hanging.hang()
    with pytest.raises(OSError):
        os.close(os.dup(file.fileno()))
    with pytest.raises(OSError):
        file.close()
    started = time.monotonic()
    done = cairnfs("umount", "--timeout", "20s", hanging.mount.path, ok=None, timeout=40)
    assert time.monotonic() - started < 30
    assert done.returncode == 1 and "kept" in done.stdout + done.stderr, done
    assert not os.path.ismount(hanging.mount.path)
    wait_until(lambda: not is_running(hanging.mount.pid))
    hanging.go_on()
    hanging.mount.pid = None
    wait_until(lambda: hanging.mount.start(ok=None).returncode == 0)  # the cache is free once the last thread has ended
    wait_until(lambda: (hanging.mount.path / "d" / "kept").exists())
    assert (hanging.mount.path / "d" / "kept").read_bytes() == content


def test_sigterm_ends_the_daemon_and_the_mount(hanging):
    hanging.hang()
    reader = subprocess.Popen(["cat", hanging.mount.path / "d" / "f"], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    wait_until(hanging.is_asked)
    started = time.monotonic()
    os.kill(hanging.mount.pid, signal.SIGTERM)
    wait_until(lambda: not is_running(hanging.mount.pid), 30)
    assert time.monotonic() - started < 25
    assert not os.path.ismount(hanging.mount.path)
    reader.wait(timeout=PATIENCE)
    hanging.mount.pid = None


def test_mounting_a_store_that_hangs_fails_in_time(hanging, tmp_path):
    hanging.hang()
    other = Mount(hanging.url, tmp_path / "other", tmp_path / "other.cache", "--mount-timeout", "2s")
    started = time.monotonic()
    other.start(ok=False)
    assert time.monotonic() - started < PATIENCE
