"""Processes that are measured or needed: run with a time limit, watched, and never left behind."""

import contextlib
import dataclasses
import os
import pathlib
import resource
import signal
import subprocess
import threading
import time

COMMAND_TIMEOUT_S = 120
IDLE_S = 0.3  # a process that used no time for so long has done what it had to
SETTLE_TIMEOUT_S = 15


@dataclasses.dataclass
class Effort:
    """What a piece of work took: on the clock, and of the processor by the process that was watched."""
    seconds: float
    cpu_seconds: float


def run(*command, timeout_s: float = COMMAND_TIMEOUT_S, environment: dict | None = None) -> str:
    """A program that ends: its output, or the end of the benchmark with what it complained of."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, timeout=timeout_s, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=environment, check=False)
    except subprocess.TimeoutExpired:
        raise SystemExit(f"{' '.join(words)}: not done after {timeout_s:.0f} s") from None
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(words)}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def unmount_lazily(mountpoint: pathlib.Path) -> None:
    """The last resort: whatever happens, nothing stays mounted."""
    for command in (["fusermount3", "-uz", str(mountpoint)], ["umount", "-l", str(mountpoint)]):
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            if subprocess.run(command, timeout=20, stderr=subprocess.DEVNULL, check=False).returncode == 0:
                return


@contextlib.contextmanager
def killed_after(pid: int, limit_s: float):
    """Kills the daemon of a mount that hangs: whoever reads from it gets an error then, instead of waiting for ever."""
    expired = threading.Event()

    def expire():
        expired.set()
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    timer = threading.Timer(limit_s, expire)
    timer.daemon = True
    timer.start()
    try:
        yield
    except OSError as error:
        if expired.is_set():
            raise SystemExit(f"not done after {limit_s:.0f} s: the daemon was killed ({error})") from None
        raise
    finally:
        timer.cancel()


def effort_of_daemon(pid: int, action, limit_s: float) -> Effort:
    """The clock stops with the action; the processor's time counts on until the daemon rests."""
    cpu_before = cpu_seconds(pid)
    with killed_after(pid, limit_s):
        duration = seconds(action)
    return Effort(duration, settled_cpu_seconds(pid) - cpu_before)


def effort_of_command(*command, limit_s: float, environment: dict | None = None) -> tuple:
    """(Effort, output) of a program, waited for."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.perf_counter()
    output = run(*command, timeout_s=limit_s, environment=environment)
    duration = time.perf_counter() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Effort(duration, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime), output


def cpu_seconds(pid: int) -> float:
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def settled_cpu_seconds(pid: int) -> float:
    return settled(lambda: cpu_seconds(pid))


def settled(value):
    """What value() is once it does not change any more."""
    deadline = time.monotonic() + SETTLE_TIMEOUT_S
    latest = value()
    while time.monotonic() < deadline:
        time.sleep(IDLE_S)
        before, latest = latest, value()
        if latest == before:
            break
    return latest


def seconds(action) -> float:
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


class PeakMemory:
    """Samples a process's anonymous memory; VmHWM, which the kernel keeps, also counts mapped files."""

    def __init__(self):
        self.anonymous_kib = 0
        self.total_kib = 0
        self._pid = None
        self._thread = None
        self._ending = threading.Event()

    def start(self, pid: int) -> None:
        self._pid = pid
        self._ending.clear()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        if self._thread is None:
            return
        self._ending.set()
        self._thread.join()
        self._thread = None

    def reset(self) -> None:
        self.anonymous_kib = self.total_kib = 0

    def _watch(self) -> None:
        while not self._ending.wait(0.01):
            try:
                lines = pathlib.Path(f"/proc/{self._pid}/status").read_text().splitlines()
            except OSError:
                return
            values = dict(line.split(":", 1) for line in lines)
            if "RssAnon" not in values:  # it has ended, and nobody has waited for it yet
                return
            self.anonymous_kib = max(self.anonymous_kib, int(values["RssAnon"].split()[0]))
            self.total_kib = max(self.total_kib, int(values["VmHWM"].split()[0]))
