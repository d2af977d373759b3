"""What is measured: a store, its mount, and a plain directory beside it on the same disk."""

import json
import os
import pathlib
import random
import shutil

import process

PIECE_BYTES = 16 << 20  # randbytes takes no more than 256 MiB at once


class Subject:
    """A store at any URL. `mounted` is below the mountpoint, `local` is the plain directory.

    `size_bytes` is the size of the file `large` that measurements read, which add() puts into both. `environment` is
    the daemon's, None for the benchmark's own. Used as a context manager; whatever happens, nothing stays mounted.
    """

    def __init__(self, cairnfs: pathlib.Path, work: pathlib.Path, store_url: str, size_bytes: int, seed: int,
                 environment: dict | None = None):
        self.cairnfs = str(cairnfs)
        self.store_url = store_url
        self.size_bytes = size_bytes
        self.random = random.Random(seed)
        self.mounted = work / "mounted"
        self.local = work / "local"
        self.cache = work / "cache"
        self.peak = process.PeakMemory()
        self.pid = None
        self._environment = environment

    def __enter__(self) -> "Subject":
        try:
            for directory in (self.mounted, self.local):
                directory.mkdir()
            self.run("init", self.store_url)
            self.mount()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        self.peak.stop()
        if self.mounted.is_mount():
            try:
                self.run("umount", str(self.mounted))
            except SystemExit:
                process.unmount_lazily(self.mounted)
                raise

    def add(self, name: str, pieces) -> None:
        """The same bytes into both, and nothing left to be written while a clock runs."""
        with open(self.local / name, "wb") as local, open(self.mounted / name, "wb") as mounted:
            for piece in pieces:
                local.write(piece)
                mounted.write(piece)
            os.fsync(local.fileno())

    def run(self, *arguments: str) -> str:
        return process.run(self.cairnfs, *arguments, environment=self._environment)

    def mount(self, *options: str) -> None:
        cache_mib = 4 * (self.size_bytes >> 20) + 1024
        self.run("mount", self.store_url, str(self.mounted), "--cache-dir", str(self.cache),
                 "--cache-size", f"{cache_mib}MiB", *options)
        self.pid = self.status()["pid"]
        self.peak.start(self.pid)

    def unmount(self) -> None:
        self.peak.stop()
        self.run("umount", str(self.mounted))

    def remount(self) -> None:
        """Memory cold, cache on disk warm."""
        self.unmount()
        self.mount()

    def remount_cold(self, *options: str) -> None:
        """Nothing of the store is on this machine, but the store's own files are in the kernel's page cache."""
        self.unmount()
        shutil.rmtree(self.cache)
        self.mount(*options)

    def remount_warm(self) -> None:
        """Every chunk of `large` is in the cache on disk, and none in memory."""
        self.run("prefetch", str(self.mounted / "large"))
        self.remount()

    def status(self) -> dict:
        answer = json.loads(self.run("status", "--json", str(self.mounted)))
        return answer[0] if isinstance(answer, list) else answer

    def fresh_pieces(self, size_bytes: int):
        """Never seen before, so nothing is deduplicated or compressed."""
        for begin in range(0, size_bytes, PIECE_BYTES):
            yield self.random.randbytes(min(PIECE_BYTES, size_bytes - begin))

    def fresh_bytes(self, size_bytes: int) -> bytes:
        return b"".join(self.fresh_pieces(size_bytes))
