"""Calls that wait for a store that hangs: nobody else waits for them, signals that a program handles fail none of them, and
whoever is killed is free."""
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import pytest

from conftest import is_running, run, wait_until
from hang_test import HangingStore

WAITERS = 1000
AT_ONCE = 0.5  # a process of its own included
PATIENCE = 20

# Closes WAITERS files at once and says how it ended. In a process of its own, to be killed.
CLOSER = """
import os, sys, threading
files = [os.open(f"{sys.argv[1]}/new{i}", os.O_WRONLY | os.O_CREAT) for i in range(int(sys.argv[2]))]
for file in files: os.write(file, b"x")
print("ready", flush=True); sys.stdin.readline()
threads = [threading.Thread(target=os.close, args=[file]) for file in files]
for thread in threads: thread.start()
print("closing", flush=True)
for thread in threads: thread.join()
"""


@pytest.fixture
def hanging(bench, monkeypatch):
    monkeypatch.setenv("ASAN_OPTIONS", "detect_leaks=0")
    store = HangingStore(bench, 60, "30s")
    (store.mount.path / "d").mkdir()
    (store.mount.path / "warm").write_bytes(b"warm" * 1000)
    assert (store.mount.path / "warm").read_bytes()
    yield store
    store.end()


@pytest.fixture
def closers(hanging):
    process = subprocess.Popen([sys.executable, "-c", CLOSER, hanging.mount.path / "d", str(WAITERS)],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    hanging.hang()
    process.stdin.write("go\n")
    process.stdin.flush()
    assert process.stdout.readline() == "closing\n"
    wait_until(lambda: threads_of(hanging.mount.pid) > WAITERS)
    yield process
    process.kill()
    process.wait(timeout=PATIENCE)


def threads_of(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


def resident_bytes(pid):
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def most_resident_bytes():
    """A sanitizer keeps what was freed for a while, and a thousand threads' stacks twice."""
    is_sanitized = b"__asan_init" in pathlib.Path(os.environ["CAIRNFS"]).read_bytes()
    return (600 if is_sanitized else 300) << 20


def seconds_of(call):
    started = time.monotonic()
    call()
    return time.monotonic() - started


def test_a_thousand_closes_that_wait_hold_up_nothing(hanging, closers):
    path = hanging.mount.path
    for call in (lambda: (path / "warm").read_bytes(), lambda: os.listdir(path), lambda: os.statvfs(path),
                 lambda: os.stat(path / "warm"), hanging.mount.status):
        assert seconds_of(call) < AT_ONCE
    assert resident_bytes(hanging.mount.pid) < most_resident_bytes()


def test_a_process_with_a_thousand_calls_that_wait_can_be_killed(hanging, closers):
    closers.kill()
    assert seconds_of(lambda: closers.wait(timeout=PATIENCE)) < 5
    assert seconds_of(lambda: (hanging.mount.path / "warm").read_bytes()) < AT_ONCE


def test_a_mount_where_a_thousand_calls_wait_is_taken_down_in_time(hanging, closers):
    pid = hanging.mount.pid
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not is_running(pid), 30)
    assert not os.path.ismount(hanging.mount.path)
    hanging.mount.pid = None


def test_a_killed_writer_ends_though_it_has_closed_nothing(hanging):
    code = f"f = open({str(hanging.mount.path / 'd' / 'open')!r}, 'wb', 0); f.write(b'x'); print(flush=True); input()"
    for number in (signal.SIGKILL, signal.SIGTERM):
        writer = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert writer.stdout.readline() == b"\n"
        hanging.hang()
        writer.send_signal(number)
        assert seconds_of(lambda: writer.wait(timeout=PATIENCE)) < 5
        hanging.go_on()


@pytest.mark.parametrize("number", [signal.SIGALRM, signal.SIGURG, signal.SIGCHLD, signal.SIGINT, signal.SIGPROF])
def test_a_signal_that_is_handled_fails_no_call_but_a_read(hanging, number):
    path = hanging.mount.path
    (path / "from").write_text("x")
    file = open(path / "d" / "new", "wb", buffering=0)
    file.write(b"new")
    stop, ended = threading.Event(), []

    def disturb():
        while not stop.wait(0.1):
            os.kill(os.getpid(), number)

    before = signal.signal(number, lambda *_: ended.append(number))
    thread = threading.Thread(target=disturb)
    hanging.hang()
    later = threading.Timer(3, hanging.go_on)
    try:
        thread.start()
        later.start()
        file.close()
        os.mkdir(path / "made")
        os.rename(path / "from", path / "to")
        open(path / "mine", "x").close()
        assert len(os.listdir(path)) == 5
    finally:
        stop.set()
        thread.join()
        later.join()
        signal.signal(number, before)
    assert ended


def test_one_slot_serves_a_mount(bench):
    path = bench.mount("one", "--threads-fuse", "1").path
    (path / "f").write_bytes(b"x" * 3_000_000)
    readers = [subprocess.Popen(["cat", path / "f"], stdout=subprocess.DEVNULL) for _ in range(8)]
    for reader in readers:
        assert reader.wait(timeout=PATIENCE) == 0
    run("ls", path)
