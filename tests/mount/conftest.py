"""Stores, daemons and mounts for the tests of this folder. Nothing outlives a test: every command has a timeout, every
mount is detached lazily at the end, every daemon is known by its pid."""
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import time

import pytest

BINARY = os.environ.get("CAIRNFS", "cairnfs")
TIMEOUT = 60


def pytest_configure(config):
    missing = fuse_is_missing()
    if missing and os.environ.get("CAIRN_REQUIRE_FUSE"):
        pytest.exit(f"CAIRN_REQUIRE_FUSE is set, but {missing}", returncode=1)


def fuse_is_missing():
    if not os.path.exists("/dev/fuse"):
        return "/dev/fuse is missing"
    try:
        os.close(os.open("/dev/fuse", os.O_RDWR))
    except OSError as error:
        return f"/dev/fuse cannot be opened: {error.strerror}"
    return None


def pytest_collection_modifyitems(items):
    missing = fuse_is_missing()
    for item in items if missing else []:
        item.add_marker(pytest.mark.skip(reason=missing))


def run(*command, ok=True, timeout=TIMEOUT, **options):
    """Runs a command to its end; its output as text. `ok`: it must succeed (True), fail (False) or either (None)."""
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          errors="surrogateescape", timeout=timeout, stdin=subprocess.DEVNULL, **options)
    if ok is not None:
        assert (done.returncode == 0) == ok, f"{command}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done


def cairnfs(*arguments, **options):
    return run(BINARY, *arguments, **options)


def wait_until(condition, seconds=20):
    """Polls another process's state, for which there is no event to wait for."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def is_running(pid):
    """A process that has ended and was not reaped yet does not count."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Mount:
    """One daemon and its mountpoint: one host, as far as the store can tell."""

    def __init__(self, store, path, cache, *flags):
        self.store, self.path, self.cache, self.flags = store, pathlib.Path(path), pathlib.Path(cache), flags
        self.pid = None

    def start(self, *flags, ok=True):
        self.path.mkdir(exist_ok=True)
        done = cairnfs("mount", self.store, self.path, "--cache-dir", self.cache, *self.flags, *flags, ok=ok)
        if done.returncode == 0:
            self.pid = self.status()["pid"]
        return done

    def status(self):
        return json.loads(cairnfs("status", "--json", self.path).stdout)

    def umount(self, **options):
        done = cairnfs("umount", self.path, **options)
        if self.pid is not None:
            wait_until(lambda: not is_running(self.pid))
        self.pid = None
        return done

    def kill(self, signal_number=signal.SIGKILL):
        os.kill(self.pid, signal_number)
        wait_until(lambda: not is_running(self.pid))
        self.pid = None
        run("umount", "-l", self.path, ok=None)

    def restart(self):
        self.umount()
        self.start()

    def end(self):
        run("umount", "-l", self.path, ok=None)
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
                wait_until(lambda: not is_running(self.pid))


class Bench:
    """A store in a directory, and as many mounts of it as a test wants."""

    def __init__(self, home):
        self.home = home
        self.directory = home / "store"
        self.url = f"dir:{self.directory}"
        self.mounts = []
        cairnfs("init", self.url)

    def mount(self, name="mnt", *flags, start=True):
        mount = Mount(self.url, self.home / name, self.home / f"{name}.cache", *flags)
        self.mounts.append(mount)
        if start:
            mount.start()
        return mount

    def check(self):
        return cairnfs("check", self.url, "--read-data", timeout=300)


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    yield made
    for mount in made.mounts:
        mount.end()


@pytest.fixture
def mnt(bench):
    """A mounted path."""
    return bench.mount().path


@pytest.fixture
def hosts(bench):
    """Two mounts of one store, each of which sees the other's work at once."""
    return [bench.mount(name, "--revalidate", "0") for name in ("A", "B")]
