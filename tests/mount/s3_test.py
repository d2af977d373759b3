"""What is peculiar to stores on S3-style endpoints: two hosts at once, what may be told and what not, and what it costs."""
import concurrent.futures
import contextlib
import errno
import http.server
import json
import os
import socket
import subprocess
import threading
import time
import uuid

import pytest

from conftest import Mount, cairnfs, run, shared_s3_server, wait_until

PATIENCE = 10  # seconds until a command has said what is wrong
CHUNK = 4 << 20


@pytest.fixture
def server():
    return shared_s3_server()


@pytest.fixture
def store_url(server, monkeypatch):
    server.sign_in(monkeypatch)
    return server.new_url()


def at_once(*calls):
    """Their results; the first error is raised."""
    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


# Two hosts ------------------------------------------------------------------------------------------------------------


def test_two_hosts_saving_and_renaming_in_one_directory_lose_and_tear_nothing(bench, hosts):
    def save(host):
        saved = []
        for step in range(15):
            content = os.urandom(100_000)
            (host.path / f"{host.path.name}.tmp").write_bytes(content)
            os.rename(host.path / f"{host.path.name}.tmp", host.path / "model")
            (host.path / f"{host.path.name}-{step}").write_bytes(content)
            saved.append(content)
        return saved

    saved = dict(zip("AB", at_once(*(lambda host=host: save(host) for host in hosts))))
    late = bench.mount("late").path
    assert sorted(os.listdir(late)) == sorted(["model"] + [f"{host}-{step}" for host in saved for step in range(15)])
    for host, contents in saved.items():
        assert [(late / f"{host}-{step}").read_bytes() for step in range(15)] == contents
    versions = late / ".versions" / "model"
    history = [(versions / number).read_bytes() for number in sorted(os.listdir(versions), key=int)]
    for contents in saved.values():  # each host's saves are all there, in its order
        assert [content for content in history if content in contents] == contents
    assert len(history) == 30 and (late / "model").read_bytes() == history[-1]


def test_a_hundred_files_from_each_of_two_hosts_at_once_are_all_there(bench, hosts):
    def write(host, worker):
        for number in range(worker, 100, 4):
            (host.path / f"{host.path.name}-{number}").write_bytes(b"%d" % number * 1000)

    at_once(*(lambda host=host, worker=worker: write(host, worker) for host in hosts for worker in range(4)))
    late = bench.mount("late").path
    assert sorted(os.listdir(late)) == sorted(f"{host}-{number}" for host in "AB" for number in range(100))
    assert all((late / name).read_bytes() == name[2:].encode() * 1000 for name in os.listdir(late))
    assert bench.check().returncode == 0


# Requests are money ---------------------------------------------------------------------------------------------------


def requests_of(mount):
    return sum(cause["requests"] for kind in mount.status()["requests"].values() for cause in kind.values())


@pytest.fixture
def cold(bench):
    """A mount that has fetched nothing, of a store with a file of 16 chunks."""
    writer = bench.mount("writer")
    (writer.path / "d").mkdir()
    (writer.path / "d" / "f").write_bytes(os.urandom(16 * CHUNK))
    (writer.path / "top").write_bytes(b"top")
    writer.umount()
    return bench.mount("cold")


def test_a_cold_read_costs_a_request_for_each_chunk_and_a_handful(cold):
    before = requests_of(cold)
    assert len((cold.path / "d" / "f").read_bytes()) == 16 * CHUNK
    assert cold.status()["reads"]["chunks_fetched"] == 16
    assert requests_of(cold) - before <= 16 + 6


def test_an_idle_mount_sends_nothing(cold):
    (cold.path / "d" / "f").read_bytes()
    (cold.path / "d" / "g").write_bytes(b"g")
    (cold.path / "d" / "g").unlink()
    wait_until(lambda: cold.status()["files"]["pending_directories"] == 0)
    before = requests_of(cold)
    time.sleep(3)
    assert requests_of(cold) == before


def test_looking_at_a_name_again_and_again_costs_a_request_for_each_interval(cold):
    cold.umount()
    cold.start("--revalidate", "1s")
    (cold.path / "top").stat()
    before = requests_of(cold)
    end = time.monotonic() + 3
    while time.monotonic() < end:
        (cold.path / "top").stat()
    assert 2 <= requests_of(cold) - before <= 5


def test_saving_the_same_bytes_again_sends_no_chunk(bench):
    mount = bench.mount()
    content = os.urandom(5 * CHUNK)
    (mount.path / "f").write_bytes(content)
    sent = mount.status()["writes"]["chunks_sent"]
    (mount.path / "f").write_bytes(content)
    (mount.path / "g").write_bytes(content)
    assert mount.status()["writes"]["chunks_sent"] == sent == 5


def test_a_prefetched_file_needs_no_more_requests_for_its_chunks(cold):
    assert "64 MiB" in cairnfs("prefetch", cold.path / "d").stdout
    fetched = cold.status()["reads"]["chunks_fetched"]
    (cold.path / "d" / "f").read_bytes()
    assert cold.status()["reads"]["chunks_fetched"] == fetched == 16


# What goes wrong is said, in a line -----------------------------------------------------------------------------------


def explains(done, url, *words):
    """One line, by which the one who is woken up knows what to do, and where."""
    assert done.returncode != 0, done
    assert done.stderr.startswith("cairnfs: ") and done.stderr.count("\n") == 1, done.stderr
    for word in (url.split("?")[0], *words):
        assert word in done.stderr, f"{word!r} is not in: {done.stderr}"


def every_command_explains(mount, url, *words, commands=("mount", "init", "check", "log")):
    mount.store = url
    attempts = {"mount": lambda: mount.start(ok=False), "init": lambda: cairnfs("init", url, ok=False),
                "check": lambda: cairnfs("check", url, ok=False),
                "log": lambda: cairnfs("log", "--store", url, "/x", ok=False)}
    for command in commands:
        started = time.monotonic()
        explains(attempts[command](), url, *words)
        assert time.monotonic() - started < PATIENCE, command
    assert not os.path.ismount(mount.path)


@pytest.fixture
def unmounted(bench):
    return bench.mount(start=False)


def test_a_wrong_secret_is_named_and_not_shown(bench, unmounted, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "guessed/wrong")
    every_command_explains(unmounted, bench.url, "secret key does not belong to the access key")
    assert "guessed" not in unmounted.start(ok=False).stderr


def test_an_unknown_access_key_is_named(bench, unmounted, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKNOBODY")
    every_command_explains(unmounted, bench.url, "does not know this access key")


def test_a_session_token_that_is_refused_is_not_shown(bench, unmounted, monkeypatch):
    monkeypatch.setenv("AWS_SESSION_TOKEN", "guessed/token")
    done = unmounted.start(ok=None)
    assert "guessed" not in done.stdout + done.stderr


def test_missing_credentials_are_told_with_the_places_to_put_them(bench, unmounted, server, tmp_path, monkeypatch):
    for name in server.credentials:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    every_command_explains(unmounted, bench.url, "no credentials found", "AWS_ACCESS_KEY_ID", "anonymous=true")


def test_a_missing_bucket_is_told_from_a_missing_store(unmounted, server):
    every_command_explains(unmounted, server.url("p", bucket="no-such-bucket"), "bucket does not exist")
    every_command_explains(unmounted, server.new_url(), "cairnfs init", commands=("mount", "check", "log"))


def test_a_port_where_nobody_listens_is_named(unmounted, server):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        url = server.url("p", endpoint=f"http://127.0.0.1:{port}")
        every_command_explains(unmounted, url, f"port {port}", "connect", commands=("mount", "init"))


def test_a_host_that_does_not_exist_is_named(unmounted, server):
    every_command_explains(unmounted, server.url("p", endpoint="https://no-such-host.invalid"), "no-such-host.invalid",
                           commands=["mount"])


def test_tls_to_an_endpoint_without_it_says_what_to_write(unmounted, server):
    url = server.url("p", endpoint=server.endpoint.replace("http:", "https:"))
    every_command_explains(unmounted, url, "http://", commands=["mount"])


@contextlib.contextmanager
def web_server(directory):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=directory)

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as serving:
        threading.Thread(target=serving.serve_forever).start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()


def test_an_endpoint_that_is_no_s3_is_doubted(unmounted, server, tmp_path):
    with web_server(tmp_path) as endpoint:
        every_command_explains(unmounted, server.url("p", endpoint=endpoint), "is the endpoint right?",
                               commands=("mount", "init"))


@pytest.fixture
def silent_name_server(tmp_path):
    """A resolv.conf whose name server takes questions and never answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.77", 53))
        (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.77\n")
        yield tmp_path / "resolv.conf"


def test_a_silent_name_server_holds_nobody_past_the_timeout(server, silent_name_server, tmp_path, monkeypatch):
    server.sign_in(monkeypatch)
    (tmp_path / "mnt").mkdir()
    started = time.monotonic()
    script = 'mount --bind "$1" /etc/resolv.conf && exec "$2" mount --mount-timeout 1s "$3" "$4"'
    done = run("unshare", "--mount", "sh", "-c", script, "sh", silent_name_server, os.environ["CAIRNFS"],
               server.url("p", endpoint="https://name.example"), tmp_path / "mnt", ok=False)
    assert time.monotonic() - started < 3
    explains(done, server.url("p"))


# Secrets --------------------------------------------------------------------------------------------------------------


def public_bucket(server):
    """Anybody may list and read it; only the owner writes."""
    bucket = f"public-{uuid.uuid4()}"
    policy = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": action, "Resource": f"arn:aws:s3:::{bucket}{objects}"}
        for action, objects in (("s3:ListBucket", ""), ("s3:GetObject", "/*"))]}
    keys = [server.credentials[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")]
    for query, body in (("", []), ("?policy=", ["--data-binary", json.dumps(policy)])):
        run("curl", "-sS", "--fail-with-body", "-X", "PUT", f"{server.endpoint}/{bucket}{query}", *body, "--aws-sigv4",
            f"aws:amz:{server.region}:s3", "--user", ":".join(keys), "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD")
    return bucket


def test_who_may_not_write_gets_a_read_only_mount_and_is_told(bench, server, tmp_path, monkeypatch):
    url = server.url("models", bucket=public_bucket(server))
    cairnfs("init", url)
    owner = Mount(url, tmp_path / "owner", tmp_path / "owner.cache")
    guest = Mount(url + "&anonymous=true", tmp_path / "guest", tmp_path / "guest.cache")
    bench.mounts += [owner, guest]
    owner.start()
    (owner.path / "f").write_bytes(b"weights")
    said = guest.start()
    assert "mounting read-only" in said.stderr and guest.status()["read_only"], said.stderr
    assert (guest.path / "f").read_bytes() == b"weights"
    with pytest.raises(OSError) as refused:
        (guest.path / "g").touch()
    assert refused.value.errno == errno.EROFS
    (owner.path / "f").write_bytes(b"better weights")
    wait_until(lambda: (guest.path / "f").read_bytes() == b"better weights")


def test_the_secret_key_is_seen_nowhere(bench, server):
    mount = bench.mount("mnt", "--log-level", "debug", start=False)
    said = mount.start()
    (mount.path / "f").write_bytes(os.urandom(CHUNK))
    (mount.path / "f").read_bytes()
    with open(mount.status()["log_file"]) as log, open("/proc/mounts") as mounts:
        told = {"mount": said.stdout + said.stderr, "log": log.read(), "/proc/mounts": mounts.read(),
                "status": cairnfs("status", mount.path).stdout, "status --json": str(mount.status()),
                "ps": subprocess.check_output(["ps", "-o", "args=", "-p", str(mount.pid)], text=True)}
    secret = server.credentials["AWS_SECRET_ACCESS_KEY"]
    for where, text in told.items():
        assert text and secret not in text and "Signature=" not in text, where
    assert "s3: credentials of environment (AWS_ACCESS_KEY_ID)\n" in told["log"], "which are used is no secret"
