"""An S3 endpoint that dies or falls silent below a mount: everybody gets an answer in time, nobody gets wrong bytes, and
once it is back nothing is missing."""
import hashlib
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import time

import pytest

from conftest import S3Server, cairnfs, is_running, run, wait_until, without_s3

START_RGW = pathlib.Path(__file__).parents[1] / "servers" / "start-rgw"
OPERATION_TIMEOUT = 2
GRACE = 1  # that a signalled request is given to end by itself
PATIENCE = 20  # until something counts as hanging
SAVES, SAVED_MIB = 8, 40


class OwnServer:
    """A server that may be broken, unlike the one that all tests share."""

    def __init__(self, home):
        self.home = home
        started = run(START_RGW, "start", home, ok=None, timeout=120)
        if started.returncode == 77:
            without_s3(started.stderr)
        assert started.returncode == 0, started.stderr
        self.place = S3Server(started.stdout)
        self.broken = False

    def pid(self):
        return int((self.home / "pid" / "radosgw").read_text().split()[0])

    def break_(self, how):
        """killed: connections are refused. silent: they are accepted, by the kernel, and nobody answers."""
        self.broken = True
        pid = self.pid()
        os.kill(pid, signal.SIGKILL if how == "killed" else signal.SIGSTOP)
        if how == "killed":
            wait_until(lambda: not is_running(pid))  # or heal() finds a dying server and takes it for a living one

    def heal(self):
        if not self.broken:
            return
        if is_running(self.pid()):
            os.kill(self.pid(), signal.SIGCONT)
        else:
            run(START_RGW, "restart-rgw", self.home)
        self.broken = False

    def stop(self):
        run(START_RGW, "stop", self.home)


@pytest.fixture(scope="module")
def servers_home(tmp_path_factory):
    server = OwnServer(tmp_path_factory.mktemp("rgw"))
    yield server
    server.stop()


@pytest.fixture
def server(servers_home):
    yield servers_home
    servers_home.heal()


@pytest.fixture
def store_url(server, monkeypatch):
    server.place.sign_in(monkeypatch)
    return server.place.new_url()


@pytest.fixture(params=["killed", "silent"])
def outage(request):
    return request.param


class Victim:
    """A mount that knows d and has d/cached, and has never seen d/cold nor what is in e."""

    def __init__(self, bench, timeout=OPERATION_TIMEOUT):
        self.contents = {name: os.urandom(9_000_000) for name in ("d/cached", "d/cold", "e/f")}
        writer = bench.mount("writer")
        for name in ("d", "e"):
            (writer.path / name).mkdir()
        for name, content in self.contents.items():
            (writer.path / name).write_bytes(content)
        writer.umount()
        self.mount = bench.mount("mnt", "--revalidate", "0", "--timeout", f"{timeout}s", "--shutdown-timeout", "2s")
        self.path = self.mount.path
        assert self.is_whole("d/cached")
        run("dd", f"if={self.path}/d/cached", "iflag=nocache", "count=0")  # from now on the kernel must ask for it

    def is_whole(self, name):
        return (self.path / name).read_bytes() == self.contents[name]


@pytest.fixture
def victim(bench):
    return Victim(bench)


def sha256(content):
    """Something to compare that can be printed."""
    return hashlib.sha256(content).hexdigest()


def seconds_of(*command, ok=None):
    started = time.monotonic()
    done = run(*command, ok=ok, timeout=PATIENCE)
    return time.monotonic() - started, done


def test_calls_that_need_the_endpoint_fail_in_time(victim, server, outage):
    server.break_(outage)
    d = victim.path / "d"
    for command in (["ls", victim.path / "e"], ["sha256sum", d / "cold"], ["touch", d / "new"], ["mv", d / "cold", d / "x"]):
        seconds, done = seconds_of(*command, ok=False)
        assert seconds < OPERATION_TIMEOUT * 6, f"{command} took {seconds} s"  # some ask for several things
        assert done.stderr, command


def test_what_is_cached_stays_readable(victim, server, outage):
    server.break_(outage)
    seconds, listed = seconds_of("ls", victim.path / "d", ok=True)
    assert listed.stdout.split() == ["cached", "cold"] and seconds < OPERATION_TIMEOUT * 6
    started = time.monotonic()
    assert victim.is_whole("d/cached")
    assert time.monotonic() - started < OPERATION_TIMEOUT * 6


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGINT])
def test_a_signalled_process_ends_at_once(bench, server, outage, signal_number):
    victim = Victim(bench, timeout=60)
    server.break_(outage)
    commands = [["sha256sum", victim.path / "d" / "cold"], ["ls", victim.path / "e"], ["stat", victim.path / "e" / "f"]]
    waiting = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
               for command in commands * 3]
    time.sleep(0.3)  # into the calls that wait
    started = time.monotonic()
    for process in waiting:
        process.send_signal(signal_number)
    for process in waiting:
        process.wait(timeout=PATIENCE)
    assert time.monotonic() - started < GRACE + 1


def test_status_answers_and_counts_the_errors(victim, server, outage):
    server.break_(outage)
    seconds_of("sha256sum", victim.path / "d" / "cold", ok=False)
    seconds, done = seconds_of(os.environ["CAIRNFS"], "status", victim.path, ok=True)
    assert seconds < OPERATION_TIMEOUT
    assert re.search(r"get .*[1-9]\d* errors", done.stdout) and "chunk" in done.stdout, done.stdout
    assert "OUT OF REACH" in done.stdout, done.stdout
    server.heal()
    wait_until(lambda: os.listdir(victim.path / "d") and "OUT OF REACH" not in cairnfs("status", victim.path).stdout)


def test_all_goes_on_once_the_endpoint_is_back(bench, victim, server, outage):
    server.break_(outage)
    for _ in range(2):
        seconds_of("sha256sum", victim.path / "d" / "cold", ok=False)
    server.heal()
    wait_until(lambda: run("sha256sum", victim.path / "d" / "cold", ok=None).returncode == 0)
    assert victim.is_whole("d/cold")
    (victim.path / "d" / "g").write_text("g")
    victim.mount.umount()
    assert bench.check().returncode == 0


def test_umount_ends_and_keeps_what_it_cannot_publish(bench, victim, server, outage):
    content = os.urandom(9_000_000)
    file = open(victim.path / "d" / "kept", "wb", buffering=0)
    file.write(content)
    server.break_(outage)
    with pytest.raises(OSError):
        file.close()
    started = time.monotonic()
    done = cairnfs("umount", "--timeout", "20s", victim.path, ok=None, timeout=40)
    assert time.monotonic() - started < OPERATION_TIMEOUT * 6
    assert done.returncode == 1 and "kept" in done.stdout + done.stderr, done
    assert not os.path.ismount(victim.path)
    wait_until(lambda: not is_running(victim.mount.pid))
    victim.mount.pid = None
    server.heal()
    victim.mount.start()
    wait_until(lambda: not victim.mount.status()["unpublished"])
    assert sha256((victim.path / "d" / "kept").read_bytes()) == sha256(content)
    assert bench.check().returncode == 0


def test_sigterm_ends_the_daemon_and_the_mount(victim, server, outage):
    (victim.path / "d" / "pending").touch()
    reader = subprocess.Popen(["sha256sum", victim.path / "d" / "cold"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    server.break_(outage)
    started = time.monotonic()
    os.kill(victim.mount.pid, signal.SIGTERM)
    wait_until(lambda: not is_running(victim.mount.pid), 30)
    assert time.monotonic() - started < OPERATION_TIMEOUT * 6
    assert not os.path.ismount(victim.path)
    reader.wait(timeout=PATIENCE)
    victim.mount.pid = None


def test_mounting_fails_in_time_and_says_why(bench, server, outage):
    server.break_(outage)
    mount = bench.mount(start=False)
    started = time.monotonic()
    done = mount.start("--mount-timeout", "2s", ok=False)
    assert time.monotonic() - started < OPERATION_TIMEOUT * 3
    assert bench.url.split("?")[0] in done.stderr and done.stderr.count("\n") == 1, done.stderr


SAVER = """
import sys
with open(sys.argv[1], "wb", buffering=0) as file:
    data = open(sys.argv[2], "rb").read()
    for begin in range(0, len(data), 1 << 20):
        file.write(data[begin:begin + (1 << 20)])
        print(flush=True)
"""


def what_is_seen(path, before, after, promised):
    """The version that another host sees, never a torn one. For some seconds after it found the endpoint away it may
    show what it knew (semantics, 7); what was promised must be there then."""
    def seen():
        content = sha256(path.read_bytes())
        assert content in (before, after), "a torn version"
        return content
    if promised:
        wait_until(lambda: seen() == after)
    return seen()


def test_a_save_whose_endpoint_dies_is_there_whole_or_not_at_all(bench, server):
    """And bytes that close() could not publish are published once the endpoint is back."""
    seed = int(os.environ.get("CAIRN_SEED", random.randrange(1 << 16)))
    print(f"CAIRN_SEED={seed}")
    rng = random.Random(seed)
    saving = bench.mount("saving", "--timeout", "2s")
    other = bench.mount("other", "--revalidate", "0")
    (saving.path / "model").write_bytes(b"before")
    before = sha256(b"before")
    outcomes = []
    for number in range(SAVES):
        after = rng.randbytes(SAVED_MIB << 20)
        (bench.home / "after").write_bytes(after)
        saver = subprocess.Popen([sys.executable, "-c", SAVER, saving.path / "model", bench.home / "after"],
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for _ in range(rng.randrange(SAVED_MIB)):
            saver.stdout.readline()
        time.sleep(rng.uniform(0, 0.3) * (number % 2))  # the moment is what is random here
        server.break_("killed")
        saver.communicate(timeout=60)
        outcomes.append(saver.returncode == 0)
        kept = bool(saving.status()["unpublished"])
        server.heal()
        wait_until(lambda: not saving.status()["unpublished"], 40)
        before = what_is_seen(other.path / "model", before, sha256(after), promised=outcomes[-1] or kept)
    assert not all(outcomes), "the endpoint died too late to be noticed"
    saving.umount()
    assert bench.check().returncode == 0
