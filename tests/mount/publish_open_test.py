"""Who publishes what is in an open file, and when: processes that inherit descriptors, and files that stay open."""
import contextlib
import mmap
import os
import subprocess
import sys
import threading

import pytest

from conftest import cairnfs, run, wait_until


def python(code, *arguments, **options):
    return run(sys.executable, "-c", code, *arguments, **options)


@contextlib.contextmanager
def written(path, content):
    """A file of this process, written and not closed."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    try:
        os.write(descriptor, content)
        os.set_inheritable(descriptor, True)
        yield descriptor
    finally:
        with contextlib.suppress(OSError):
            os.close(descriptor)


def published(path):
    """What another host's file holds; nothing, where the name is not committed yet."""
    with contextlib.suppress(FileNotFoundError):
        return path.read_bytes()
    return b""


def in_a_fork(work):
    """Runs `work` in a child that inherits everything, and waits for its end."""
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_workers_that_end_publish_nothing(hosts):
    a, b = (host.path for host in hosts)
    (a / "f").write_bytes(b"old")
    with written(a / "f", b"half") as descriptor:
        in_a_fork(lambda: None)
        in_a_fork(lambda: os.close(descriptor))
        in_a_fork(lambda: os.close(os.dup(descriptor)))
        in_a_fork(lambda: os.read(descriptor, 1))
        subprocess.run(["true"], close_fds=False, check=True)
        subprocess.run(["true"], close_fds=True, check=True)  # closes it before it becomes another program
        child = os.fork()
        if child == 0:
            threading.Event().wait()
        os.kill(child, 9)
        os.waitpid(child, 0)
        assert (b / "f").read_bytes() == b"old"
    assert (b / "f").read_bytes() == b"half"


def test_who_wrote_through_an_inherited_descriptor_publishes(hosts):
    a, b = (host.path for host in hosts)

    def in_another_thread(work):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()

    for index, change in enumerate((
            lambda fd: os.write(fd, b", child"),
            lambda fd: os.pwrite(fd, b", child", 6),
            lambda fd: in_another_thread(lambda: os.write(fd, b", child")),
            lambda fd: os.write(os.dup(fd), b", child"))):
        with written(a / f"f{index}", b"parent") as descriptor:
            in_a_fork(lambda: change(descriptor))
            assert (b / f"f{index}").read_bytes() == b"parent, child"
    with written(a / "cut", b"parent") as descriptor:
        in_a_fork(lambda: os.ftruncate(descriptor, 3))
        assert (b / "cut").read_bytes() == b"par"


def test_dup_and_threads_of_the_opener_publish(hosts):
    a, b = (host.path for host in hosts)
    with written(a / "f", b"one") as descriptor:
        os.close(os.dup(descriptor))
        assert (b / "f").read_bytes() == b"one"
        os.write(descriptor, b", two")
        thread = threading.Thread(target=lambda: os.close(os.dup(descriptor)))
        thread.start()
        thread.join()
        assert (b / "f").read_bytes() == b"one, two"
    assert [line.split()[0] for line in cairnfs("log", a / "f").stdout.splitlines()[1:]] == ["1"]


@pytest.mark.parametrize("script, content", [
    ("(echo x) > f", "x\n"),
    ("{ echo a; (echo b); } > f", "a\nb\n"),
    ("exec 3> f; /bin/echo x >&3; cat f > /dev/null; cat $B/f > seen; exec 3>&-; cat seen", "x\n"),
    ("exec 3> f; echo x >&3; exec 3>&-", "x\n"),
    ("printf '%s\\n' 1 2 3 | tee f | cat > g; cmp f g", "1\n2\n3\n"),
    ("/bin/echo x > f & wait", "x\n"),
    ("exec 3> f; (sleep 0; echo late >&3) & exec 3>&-; wait", "late\n"),
    ("nohup sh -c 'echo x' > f 2> /dev/null", "x\n"),
])
def test_shells_get_what_they_expect(hosts, script, content):
    a, b = (host.path for host in hosts)
    run("bash", "-ec", script, cwd=a, env={**os.environ, "B": str(b)})
    assert (b / "f").read_text() == content


def test_a_spawned_child_that_writes_publishes(hosts):
    a, b = (host.path for host in hosts)
    with written(a / "f", b"") as descriptor:
        pid = os.posix_spawn("/bin/echo", ["echo", "spawned"], os.environ,
                             file_actions=[(os.POSIX_SPAWN_DUP2, descriptor, 1)])
        os.waitpid(pid, 0)
        assert (b / "f").read_bytes() == b"spawned\n"


def test_bytes_of_a_mapping_are_published_by_the_writers_end(hosts):
    a, b = (host.path for host in hosts)
    (a / "f").write_bytes(b"." * 4096)
    python("import mmap, sys; f = open(sys.argv[1], 'r+b'); m = mmap.mmap(f.fileno(), 0); m[:4] = b'mmap'", a / "f")
    wait_until(lambda: (b / "f").read_bytes()[:4] == b"mmap")
    with open(a / "f", "r+b") as file:
        def work():
            mmap.mmap(file.fileno(), 4096)[:4] = b"fork"
            os.close(file.fileno())
        in_a_fork(work)
        wait_until(lambda: (b / "f").read_bytes()[:4] == b"fork")


def test_open_logs_are_published_now_and_then(bench):
    a = bench.mount("A", "--revalidate", "0", "--publish-open-after", "100ms")
    b = bench.mount("B", "--revalidate", "0")
    with written(a.path / "train.log", b"") as log, written(a.path / "model.bin", b"half") as model:
        for step in range(3):
            os.write(log, b"step %d\n" % step)
            wait_until(lambda: published(b.path / "train.log").endswith(b"step %d\n" % step))
        with open(b.path / "train.log", "rb") as follower:
            follower.read()
            os.write(log, b"the end\n")
            wait_until(lambda: follower.read() == b"the end\n")
        assert published(b.path / "model.bin") == b""
    assert [line.split()[0] for line in cairnfs("log", a.path / "train.log").stdout.splitlines()[1:]] == ["1"]
    told = a.status()["files"]["publish_open"]
    assert told["patterns"] == ["*.log", "*.jsonl", "events.out.*"]
    assert told["after_ms"] == 100
    assert told["published"] >= 4
    assert "*.log, *.jsonl, events.out.*: published 0.1 s" in cairnfs("status", a.path).stdout


@pytest.mark.parametrize("flag", [
    ("--publish-open", "*.txt", "--publish-open-after", "100ms"),
    ("-o", r"publish-open=*.md\,*.txt,publish-open-after=100ms"),
    ("-o", "publish-open=*.md:*.txt,publish-open-after=100ms")])
def test_the_patterns_are_a_choice(bench, flag):
    a = bench.mount("A", "--revalidate", "0", *flag)
    b = bench.mount("B", "--revalidate", "0")
    with written(a.path / "x.txt", b"seen"), written(a.path / "x.log", b"not seen"):
        wait_until(lambda: published(b.path / "x.txt") == b"seen")
        assert published(b.path / "x.log") == b""


def test_no_patterns_publish_nothing_and_bad_ones_are_refused(bench):
    a = bench.mount("A", "--publish-open", "")
    assert a.status()["files"]["publish_open"]["patterns"] == []
    refused = bench.mount("B", "--publish-open", "logs/*.log", start=False).start(ok=False)
    assert "publish-open" in refused.stderr and "without directories" in refused.stderr
