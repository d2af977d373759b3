"""Stores with a fault that begins and ends when a test says so. `url` is the way of the hosts that shall meet it,
`healthy_url` that of the others, which is the same where nobody is spared."""
import contextlib
import os
import subprocess

from conftest import run
from small_s3 import Door, SmallS3

MIB = 1 << 20


class FaultyEndpoint:
    """An S3 endpoint: see Door for the modes."""

    spares_others = True

    def __init__(self, home, mode, delay=5):
        s3 = SmallS3()
        self.mode, self.door, self.healthy_door = mode, Door(s3, delay), Door(s3, delay)
        self.url, self.healthy_url = self.door.url(), self.healthy_door.url()

    def begin(self):
        self.door.set(self.mode)

    def end(self):
        self.door.set("well")

    def close(self):
        self.door.close()
        self.healthy_door.close()


class FaultyDisk:
    """A directory on a small disk of its own; some hosts see it through a bind mount."""

    spares_others = False

    def __init__(self, home):
        self.image, self.place, self.view = home / "disk.img", home / "disk", home / "view"
        self.place.mkdir()
        self.view.mkdir()
        with open(self.image, "wb") as file:
            file.truncate(64 * MIB)
        run("mkfs.ext4", "-q", "-m", "0", self.image)
        run("mount", "-o", "loop", self.image, self.place)
        run("mount", "--bind", self.place, self.view)
        self.url, self.healthy_url = f"dir:{self.view}/store", f"dir:{self.place}/store"

    def close(self):
        self.end()
        for path in (self.view, self.place):
            run("umount", "-l", path, ok=None)


class FullDisk(FaultyDisk):
    def begin(self):
        for size in (MIB, 4096, 1):
            with contextlib.suppress(OSError), open(self.place / f"ballast-{size}", "wb", buffering=0) as file:
                while True:
                    file.write(bytes(size))
                    os.fsync(file.fileno())

    def end(self):
        for ballast in self.place.glob("ballast-*"):
            ballast.unlink()


class ReadOnlyDisk(FaultyDisk):
    """For those behind the bind mount."""

    spares_others = True

    def begin(self):
        run("mount", "-o", "remount,bind,ro", self.view)

    def end(self):
        run("mount", "-o", "remount,bind,rw", self.view, ok=None)


class FrozenDisk(FaultyDisk):
    """Whoever writes waits in the kernel, where no signal ends it, until the disk is thawed; readers do not notice."""

    guard = None

    def begin(self):
        # It would outlive us: sync(2) would hang for everybody, for ever.
        self.guard = subprocess.Popen(["sh", "-c", 'cat; fsfreeze -u "$0"', self.place], stdin=subprocess.PIPE,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        run("fsfreeze", "-f", self.place)

    def end(self):
        if self.guard is None:
            return
        self.guard.stdin.close()
        self.guard.wait(timeout=20)
        self.guard = None
