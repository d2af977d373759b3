"""A daemon as packaging/systemd/ has it: in front, an ordinary user with one capability, heard by a manager."""
import os
import pathlib
import signal
import socket
import stat
import subprocess
import tempfile

import pytest

from conftest import BINARY, cairnfs, run, wait_until

UNIT = pathlib.Path(__file__).parents[2] / "packaging/systemd/cairnfs@.service.in"
USER = 65534


def capabilities():
    """Those of the unit; and what /dev/fuse takes on this machine, where it is not open to all as it should be."""
    lines = dict(line.split("=", 1) for line in UNIT.read_text().splitlines() if line[:1] not in "#[" and "=" in line)
    assert lines["User"] != "root" and lines["AmbientCapabilities"] == lines["CapabilityBoundingSet"]
    wanted = [name.lower().removeprefix("cap_") for name in lines["AmbientCapabilities"].split()]
    is_open = stat.S_IMODE(os.stat("/dev/fuse").st_mode) & 0o006 == 0o006
    return ",".join(f"+{name}" for name in wanted + ([] if is_open else ["dac_override"]))


class Service:
    """What the manager does for it."""

    def __init__(self, home):
        self.home, self.place, self.runtime = home, home / "mnt", home / "run" / "units"
        for path in (self.place, self.runtime, home / "cache", home / "store"):
            path.mkdir(parents=True)
        for path in (self.runtime, home / "cache", home / "store"):
            os.chown(path, USER, USER)
        home.chmod(0o755)
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.manager.bind(str(home / "notify"))
        (home / "notify").chmod(0o777)
        self.manager.settimeout(30)
        self.daemon = None

    def as_user(self, *command):
        some = capabilities()
        return ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", f"--inh-caps=-all,{some}",
                f"--ambient-caps=-all,{some}", f"--bounding-set=-all,{some}", "--no-new-privs", *map(str, command)]

    def start(self):
        run(*self.as_user(BINARY, "init", f"dir:{self.home}/store/s"))
        command = self.as_user(BINARY, "mount", "--foreground", "--cache-dir", self.home / "cache", "--allow-other",
                               f"dir:{self.home}/store/s", self.place)
        environment = os.environ | {"NOTIFY_SOCKET": str(self.home / "notify"), "CAIRNFS_RUNTIME_DIR": str(self.runtime)}
        self.daemon = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL)

    def heard(self):
        return self.manager.recv(4096).decode().split("\n")

    def end(self):
        self.manager.close()
        run("umount", "-l", self.place, ok=None)
        if self.daemon and self.daemon.poll() is None:
            self.daemon.kill()
            self.daemon.wait(20)


@pytest.fixture
def service():
    with tempfile.TemporaryDirectory() as home:  # shorter than pytest's, and not for root alone
        made = Service(pathlib.Path(home))
        yield made
        made.end()


def test_it_is_ready_when_the_mount_is_and_stops_when_it_is_told(service):
    service.start()
    assert "READY=1" in service.heard()
    assert os.path.ismount(service.place)
    (service.place / "f").write_text("root's, who is another user than the daemon's")
    assert (service.place / "f").stat().st_uid == 0
    service.daemon.send_signal(signal.SIGTERM)
    assert "STOPPING=1" in service.heard()
    assert service.daemon.wait(30) == 0
    assert not os.path.ismount(service.place)


def test_root_asks_and_ends_it_by_its_mountpoint(service, monkeypatch):
    monkeypatch.setenv("CAIRNFS_RUNTIME_DIR", str(service.runtime.parent))
    service.start()
    service.heard()
    assert f"pid {service.daemon.pid}" in cairnfs("status", service.place).stdout
    assert "everything is published" in cairnfs("umount", service.place).stdout
    wait_until(lambda: service.daemon.poll() is not None)
    assert service.daemon.returncode == 0
