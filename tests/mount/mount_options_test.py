"""Life with mount(8), umount(8) and fstab. Helpers are found where mount(8) looks for them: /sbin, for as long as a test."""
import os
import pathlib
import shutil

import pytest

from conftest import BINARY, OVER_S3, cairnfs, is_running, run, wait_until

PACKAGING = pathlib.Path(__file__).parents[2] / "packaging"
HELPERS = ("mount.fuse.cairnfs", "umount.fuse.cairnfs")

# fstab(5), mount(8) "FILESYSTEM-INDEPENDENT MOUNT OPTIONS", systemd.mount(5), mount.fuse3(8), and what stands in volume
# definitions that were written for other file systems.
OPTIONS = """async atime noatime auto noauto defaults dev nodev diratime nodiratime dirsync exec noexec group iversion
noiversion mand nomand _netdev nofail relatime norelatime strictatime nostrictatime lazytime nolazytime suid nosuid silent
loud owner rw sync user nouser users nosymfollow X-mount.mkdir x-gvfs-show comment=models
x-systemd.automount,x-systemd.requires=network-online.target,x-systemd.mount-timeout=30 context=system_u:object_r:nfs_t:s0
context="system_u:object_r:container_file_t:s0:c1,c2" fscontext=system_u:object_r:nfs_t:s0
uid=1000,gid=1000 umask=022 fsname=models auto_unmount allow_root allow_other max_read=131072 default_permissions
blksize=4096 subtype=cairnfs noauto,nofail,user,x-systemd.automount,_netdev bg,retry=3""".split()


@pytest.fixture(autouse=True)
def helpers(monkeypatch, tmp_path):
    """Scripts that run ours, so that nobody else's /sbin is touched for longer than a test."""
    monkeypatch.setenv("PATH", f"{os.path.dirname(BINARY)}:{os.environ['PATH']}")
    placed = [pathlib.Path("/sbin") / name for name in HELPERS]
    if any(path.exists() for path in placed):
        pytest.skip("CairnFS is installed here")
    for path in placed:
        path.write_text(f'#!/bin/sh\nPATH="{os.environ["PATH"]}" exec {PACKAGING / path.name} "$@"\n')
        path.chmod(0o755)
    yield
    for path in placed:
        path.unlink()


def mount_8(mount, options):
    mount.path.mkdir(exist_ok=True)
    done = run("mount", "-t", "fuse.cairnfs", "-o", f"cache-dir={mount.cache},{options}", mount.store, mount.path, ok=None)
    assert done.returncode == 0, f"-o {options}: {done.stderr}"
    mount.pid = mount.status()["pid"]


def umount_8(mount, *flags):
    run("umount", *flags, mount.path)
    wait_until(lambda: not is_running(mount.pid))
    mount.pid = None


def line_of(mount):
    with open("/proc/self/mountinfo") as table:
        return next(line for line in table if f" {mount.path} " in line)


@pytest.mark.parametrize("options", OPTIONS)
def test_mount_takes_whatever_stands_in_fstab(bench, options):
    mount = bench.mount(start=False)
    mount_8(mount, options)
    (mount.path / "f").write_text("x")
    assert (mount.path / "f").read_text() == "x"
    umount_8(mount)


def test_unknown_option_is_still_refused(bench):
    mount = bench.mount(start=False)
    mount.path.mkdir()
    done = run("mount", "-t", "fuse.cairnfs", "-o", "cache-sizee=1GiB", mount.store, mount.path, ok=False)
    assert "cache-sizee" in done.stderr


def test_options_that_mean_something_are_honoured(bench):
    mount = bench.mount(start=False)
    mount_8(mount, "nosuid,nodev,noexec,noatime,fsname=models,uid=1234,gid=2345,umask=027")
    line = line_of(mount)
    assert all(word in line for word in ("nosuid", "nodev", "noexec", "noatime", " models "))
    (mount.path / "f").write_text("x")
    (mount.path / "d").mkdir()
    for path in (mount.path, mount.path / "f", mount.path / "d", mount.path / ".versions" / "f" / "1"):
        assert (path.stat().st_uid, path.stat().st_gid, path.stat().st_mode & 0o777) == (1234, 2345, 0o750)
    assert [entry.stat().st_uid for entry in os.scandir(mount.path)] == [1234, 1234]
    umount_8(mount)
    mount_8(mount, "ro")
    assert (mount.path / "f").stat().st_uid == os.getuid()  # shown, not stored
    with pytest.raises(OSError, match="Read-only"):
        (mount.path / "g").touch()


def test_nosymfollow_follows_no_link(bench):
    mount = bench.mount(start=False)
    mount_8(mount, "nosymfollow")
    (mount.path / "f").write_text("x")
    (mount.path / "link").symlink_to("f")
    assert os.readlink(mount.path / "link") == "f"
    with pytest.raises(OSError, match="symbolic links"):
        (mount.path / "link").read_text()


@pytest.mark.parametrize("tool", ["mount", "cairnfs"])
def test_remount_changes_what_may_be_written(bench, tool):
    mount = bench.mount(start=False)
    mount_8(mount, "nosuid,noexec")

    def remount(options, ok=True):
        if tool == "mount":
            return run("mount", "-o", f"remount,{options}", mount.path, ok=ok)
        return cairnfs("mount", mount.store, mount.path, "-o", f"remount,{options}", ok=ok)

    remount("ro")
    assert all(word in line_of(mount) for word in ("ro", "nosuid", "noexec"))
    with pytest.raises(OSError, match="Read-only"):
        (mount.path / "f").touch()
    remount("rw")
    (mount.path / "f").write_text("x")
    with open(mount.path / "f", "a"):
        assert "open for writing" in remount("ro", ok=False).stderr
    umount_8(mount)
    mount_8(mount, "ro")
    assert "served read-only" in remount("rw", ok=False).stderr


def test_umount_waits_until_everything_is_published(bench):
    mount = bench.mount(start=False)
    mount_8(mount, "commit-delay=1m")
    pid = mount.pid
    (mount.path / "f").touch()
    # By a relative path: for an absolute one umount(8) of util-linux 2.38 asks the kernel for the type, which is "fuse".
    assert "everything is published" in run("umount", mount.path.name, cwd=mount.path.parent).stdout
    wait_until(lambda: not is_running(pid))
    mount.pid = None
    mount_8(mount, "rw")
    assert os.listdir(mount.path) == ["f"]


def test_mount_waits_for_the_one_that_was_there_before(bench):
    mount = bench.mount("mnt", "--commit-delay", "1m")
    for number in range(5):
        (mount.path / f"f{number}").touch()
        with open(mount.path / "large", "wb") as file:
            file.write(os.urandom(20 << 20))
        run("umount", "-i", mount.path)  # without a helper: returns when the name is free
        mount.start()
    assert len(os.listdir(mount.path)) == 6


def test_mount_that_waits_says_for_whom_and_gives_up(bench):
    mount = bench.mount()
    fd = os.open(mount.path, os.O_RDONLY)
    run("umount", "-i", "-l", mount.path)
    refused = mount.start("--mount-timeout", "1s", ok=False)
    assert f"pid {mount.pid}" in refused.stderr and "files are open" in refused.stderr
    os.close(fd)
    mount.start()


def test_what_the_daemon_needs_is_refused_inside_the_mountpoint(bench):
    mount = bench.mount(start=False)
    mount.path.mkdir()
    inside = mount.path / "inside"
    for refused, flags in ((inside, ("--cache-dir", inside)), (mount.path, ("--cache-dir", mount.path)),
                           (inside / "log", ("--cache-dir", mount.cache, "--log-file", inside / "log"))):
        done = cairnfs("mount", bench.url, mount.path, *flags, ok=False)
        assert "inside the mountpoint" in done.stderr and str(refused) in done.stderr
        assert os.listdir(mount.path) == []
    if OVER_S3:
        return
    cairnfs("init", f"dir:{inside}")
    done = cairnfs("mount", f"dir:{inside}", mount.path, "--cache-dir", mount.cache, "-o", "nonempty", ok=False)
    assert "inside the mountpoint" in done.stderr


def test_descriptor_that_somebody_else_has_opened_is_served(bench, tmp_path):
    mount = bench.mount(start=False)
    mount.path.mkdir()
    script = """
import ctypes, os, subprocess, sys
url, path, cache, binary = sys.argv[1:]
device = os.open("/dev/fuse", os.O_RDWR)
os.set_inheritable(device, True)
options = f"fd={device},rootmode=40000,user_id=0,group_id=0,default_permissions".encode()
assert ctypes.CDLL(None).mount(b"cairnfs", path.encode(), b"fuse.cairnfs", 6, options) == 0
sys.exit(subprocess.run([binary, "mount", url, f"/dev/fd/{device}", "--cache-dir", cache], close_fds=False).returncode)
"""
    done = run("python3", "-c", script, mount.store, mount.path, mount.cache, BINARY)
    pid = int(done.stdout.split("pid ")[1].split(",")[0])
    (mount.path / "f").write_text("x")
    assert (mount.path / "f").read_text() == "x"
    run("umount", "-i", mount.path)
    wait_until(lambda: not is_running(pid))
    mount.start()
    assert (mount.path / "f").read_text() == "x"


def test_df_tells_the_room_on_the_disks_that_a_save_needs(bench, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=64M", "none", small)
    try:
        mount = bench.mount(start=False)
        mount.cache = small / "cache"
        mount.start("--cache-size", "0")
        room = os.statvfs(mount.path)
        assert room.f_bavail * room.f_frsize <= 64 << 20
        assert room.f_blocks * room.f_frsize == 64 << 20
        mount.umount()
    finally:
        run("umount", "-l", small)
    if OVER_S3:
        return
    mount.cache = tmp_path / "cache"
    mount.start()
    disk, room = os.statvfs(tmp_path), os.statvfs(mount.path)
    assert abs(room.f_bavail * room.f_frsize - disk.f_bavail * disk.f_frsize) < 1 << 30


def test_log_and_prefetch_follow_links_inside_the_mount(bench):
    mount = bench.mount()
    blobs, snapshot = mount.path / "hub/m/blobs", mount.path / "hub/m/snapshots/abc"
    blobs.mkdir(parents=True)
    snapshot.mkdir(parents=True)
    (blobs / "w").write_bytes(os.urandom(5 << 20))
    (snapshot / "model.safetensors").symlink_to("../../blobs/w")
    (snapshot / "loop").symlink_to("../abc")
    (snapshot / "out").symlink_to("/etc/passwd")
    (snapshot / "broken").symlink_to("nowhere")
    (mount.path / "hub/latest").symlink_to(mount.path / "hub/m/snapshots/abc")
    (mount.path / "self").symlink_to("self")
    mount.umount()
    shutil.rmtree(mount.cache)
    mount.start()
    done = cairnfs("prefetch", mount.path / "hub/latest")
    assert "1 file," in done.stdout and "5.0 MiB" in done.stdout
    assert len(cairnfs("log", mount.path / "hub/latest/model.safetensors").stdout.splitlines()) == 2
    assert "leads out of the mount" in cairnfs("log", mount.path / "hub/latest/out", ok=False).stderr
    assert "too many" in cairnfs("prefetch", mount.path / "self", ok=False).stderr


def test_unknown_command_is_named(tmp_path):
    done = run(BINARY, "mout", tmp_path, ok=False)
    assert done.returncode == 2 and "'mout'" in done.stderr and "did you mean 'mount'" in done.stderr
