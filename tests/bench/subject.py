"""What is measured: a store, its mount, and a plain directory beside it on the same disk."""

import json
import pathlib
import random
import shutil
import subprocess
import threading
import time

COMMAND_TIMEOUT_S = 120


class Subject:
    """Paths: `mounted` is below the mountpoint, `local` is the plain directory; both hold `large`, the same bytes.

    Used as a context manager; whatever happens, nothing stays mounted.
    """

    def __init__(self, cairnfs: pathlib.Path, work: pathlib.Path, size_bytes: int, seed: int):
        self.cairnfs = str(cairnfs)
        self.work = work
        self.size_bytes = size_bytes
        self.random = random.Random(seed)
        self.mounted = work / "mounted"
        self.local = work / "local"
        self.cache = work / "cache"
        self.peak = PeakMemory()

    def __enter__(self) -> "Subject":
        try:
            self._set_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _set_up(self) -> None:
        for directory in (self.mounted, self.local):
            directory.mkdir()
        self.run("init", self.store_url)
        self.mount()
        content = self.fresh_bytes(self.size_bytes)
        (self.local / "large").write_bytes(content)
        (self.mounted / "large").write_bytes(content)

    def __exit__(self, *_) -> None:
        self.peak.stop()
        if self.mounted.is_mount():
            ended = subprocess.run([self.cairnfs, "umount", str(self.mounted)], timeout=COMMAND_TIMEOUT_S, check=False)
            if ended.returncode != 0:
                subprocess.run(["umount", "-l", str(self.mounted)], timeout=COMMAND_TIMEOUT_S, check=False)

    @property
    def store_url(self) -> str:
        return f"dir:{self.work / 'store'}"

    def run(self, *arguments: str) -> str:
        command = [self.cairnfs, *arguments]
        done = subprocess.run(command, timeout=COMMAND_TIMEOUT_S, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout

    def mount(self) -> None:
        cache_mib = 4 * (self.size_bytes >> 20) + 1024
        self.run("mount", self.store_url, str(self.mounted), "--cache-dir", str(self.cache),
                 "--cache-size", f"{cache_mib}MiB")
        self.peak.start(self.status()["pid"])

    def unmount(self) -> None:
        self.peak.stop()
        self.run("umount", str(self.mounted))

    def remount(self) -> None:
        """Memory cold, cache on disk warm."""
        self.unmount()
        self.mount()

    def remount_cold(self) -> None:
        """Nothing of the store is on this machine, but the store's own files are in the kernel's page cache."""
        self.unmount()
        shutil.rmtree(self.cache)
        self.mount()

    def remount_warm(self) -> None:
        """Every chunk of `large` is in the cache on disk, and none in memory."""
        self.run("prefetch", str(self.mounted / "large"))
        self.remount()

    def status(self) -> dict:
        answer = json.loads(self.run("status", "--json", str(self.mounted)))
        return answer[0] if isinstance(answer, list) else answer

    def fresh_bytes(self, size_bytes: int) -> bytes:
        """Never seen before, so nothing is deduplicated or compressed."""
        piece = 16 << 20  # randbytes takes no more than 256 MiB at once
        return b"".join(self.random.randbytes(min(piece, size_bytes - at)) for at in range(0, size_bytes, piece))


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
            self.anonymous_kib = max(self.anonymous_kib, int(values["RssAnon"].split()[0]))
            self.total_kib = max(self.total_kib, int(values["VmHWM"].split()[0]))


def seconds(action) -> float:
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin
