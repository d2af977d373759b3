"""What the daemon has in memory, keys and everybody's bytes, stays out of core dumps and away from other processes."""
import os
import resource
import signal
import subprocess

from conftest import BINARY, run, wait_until


def flags_of_maps(pid, name):
    """VmFlags of each mapping whose line in smaps ends so."""
    found, wanted = [], False
    with open(f"/proc/{pid}/smaps") as maps:
        for line in maps:
            words = line.split()
            if not words[0].endswith(":"):
                wanted = words[-1].endswith(name)
            elif words[0] == "VmFlags:" and wanted:
                found.append(words[1:])
    return found


def test_a_daemon_that_dies_leaves_no_core(tmp_path, bench):
    """In the foreground, where the limit is this process's to raise, and the directory its own."""
    place, here = tmp_path / "mnt", tmp_path / "here"
    place.mkdir()
    here.mkdir()
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    daemon = subprocess.Popen([BINARY, "mount", "-f", bench.url, place, "--cache-dir", tmp_path / "cache2"], cwd=here,
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, unlimited),
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: os.path.ismount(place))
        os.kill(daemon.pid, signal.SIGABRT)
        _, status = os.waitpid(daemon.pid, 0)
        daemon.returncode = status
        assert os.WTERMSIG(status) == signal.SIGABRT and not os.WCOREDUMP(status)
        assert os.listdir(here) == []
    finally:
        run("umount", "-l", place, ok=None)
        if daemon.returncode is None:
            daemon.kill()
            daemon.wait(20)


def test_the_cache_is_left_out_of_dumps(bench):
    mount = bench.mount()
    flags = flags_of_maps(mount.pid, "/data.mdb")
    assert flags and all("dd" in of_map for of_map in flags)
