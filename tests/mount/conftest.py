"""Stores, daemons and mounts for the tests of this folder. Nothing outlives a test: every command has a timeout, every
mount is detached lazily at the end, every daemon is known by its pid."""
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import time
import uuid

import pytest

BINARY = os.environ.get("CAIRNFS", "cairnfs")
TIMEOUT = 60
OVER_S3 = os.environ.get("CAIRN_TEST_REMOTE") == "s3"


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


def pytest_collection_modifyitems(config, items):
    missing = fuse_is_missing()
    for item in items if missing else []:
        item.add_marker(pytest.mark.skip(reason=missing))
    if OVER_S3:  # tests that reach into the store's directory have no place there
        beside_the_point = [item for item in items if "store_directory" in item.fixturenames]
        config.hook.pytest_deselected(items=beside_the_point)
        items[:] = [item for item in items if item not in beside_the_point]


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
    """Any of its threads: the first one may end before the others. A process that was not reaped yet does not count."""
    for thread in pathlib.Path(f"/proc/{pid}/task").glob("*/stat"):
        with contextlib.suppress(OSError):
            if thread.read_text().rsplit(")", 1)[1].split()[0] not in "ZX":
                return True
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


class S3Server:
    """Where a server is and how to sign in, by the lines that start-rgw prints (tests/servers)."""

    def __init__(self, description):
        values = dict(line.split("=", 1) for line in description.splitlines())
        self.endpoint, self.bucket, self.region = values["S3_ENDPOINT"], values["S3_BUCKET"], values["AWS_REGION"]
        self.tenant_bucket, self.role, self.kms_key = values["S3_TENANT_BUCKET"], values["S3_ROLE"], values["S3_KMS_KEY"]
        self.credentials = {name: value for name, value in values.items() if name.startswith("AWS_")}

    def url(self, prefix, bucket=None, endpoint=None):
        where = f"{bucket or self.bucket}/{prefix}"
        return f"s3://{where}?endpoint={endpoint or self.endpoint}&region={self.region}"

    def new_url(self):
        """Of a prefix that nobody else uses."""
        return self.url(f"mount-{uuid.uuid4()}")

    def sign_in(self, monkeypatch):
        """For all commands that are run from now on."""
        for name, value in self.credentials.items():
            monkeypatch.setenv(name, value)


def shared_s3_server():
    """The one that ctest has started."""
    try:
        with open(os.environ.get("CAIRN_TEST_S3", "")) as description:
            return S3Server(description.read())
    except FileNotFoundError:
        without_s3("no S3 server runs: see tests/servers/README.md")


def without_s3(reason):
    if os.environ.get("CAIRN_REQUIRE_S3"):
        pytest.fail(f"CAIRN_REQUIRE_S3 is set, but {reason}")
    pytest.skip(reason)


class Bench:
    """A store, and as many mounts of it as a test wants."""

    def __init__(self, home, url):
        self.home = home
        self.url = url
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
def store_url(tmp_path, monkeypatch):
    """Where the store is to be made."""
    if not OVER_S3:
        return f"dir:{tmp_path}/store"
    server = shared_s3_server()
    server.sign_in(monkeypatch)
    return server.new_url()


@pytest.fixture
def bench(tmp_path, store_url):
    made = Bench(tmp_path, store_url)
    yield made
    for mount in made.mounts:
        mount.end()


@pytest.fixture
def store_directory(bench):
    """Where the store's objects are files."""
    return pathlib.Path(bench.url.removeprefix("dir:"))


@pytest.fixture
def mnt(bench):
    """A mounted path."""
    return bench.mount().path


@pytest.fixture
def hosts(bench):
    """Two mounts of one store, each of which sees the other's work at once."""
    return [bench.mount(name, "--revalidate", "0") for name in ("A", "B")]
