"""What cairnfs is measured against: other clients of the same bucket. Each reads and writes, cold, and says its Effort.

No secret is on a command line: they are in files of mode 600.
"""

import contextlib
import hashlib
import os
import pathlib
import subprocess
import time

import file_work
import process
from process import Effort
from s3_server import S3Server, without_aws

LARGE = "plain/large"  # the object that holds the same bytes as the mounted file `large`
PART_BYTES = 4 << 20
AT_ONCE = 16  # requests of one client
START_TIMEOUT_S = 30


def limit_for(size_bytes: int) -> float:
    """Far beyond what any client needs."""
    return 60 + size_bytes / 10e6


class Curl:
    """`curl --parallel`: as fast as this machine and the server are, with nothing done to the bytes.

    Reads the objects under `keys`, writes files. Connections are kept and used again.
    """

    def __init__(self, server: S3Server, work: pathlib.Path):
        self._server = server
        self._config = work / "curl.conf"

    def read(self, keys: list, connections: int, size_bytes: int) -> Effort:
        transfers = [(self._server.url_of(key), b"", 'output = "/dev/null"') for key in keys]
        return self._transfer(transfers, connections, "size_download", size_bytes)

    def write(self, parts: list, connections: int, size_bytes: int, signed_payload: bool = True) -> Effort:
        """`parts` are files. With a signed payload the server digests what it gets, as it does for cairnfs."""
        transfers = [(self._server.url_of(f"parts/{part.name}"), part.read_bytes() if signed_payload else None,
                      f'upload-file = "{part}"') for part in parts]
        return self._transfer(transfers, connections, "size_upload", size_bytes)

    def _transfer(self, transfers: list, connections: int, counted: str, size_bytes: int) -> Effort:
        write_secretly(self._config, "\nnext\n".join(self._section(*transfer, counted) for transfer in transfers))
        command = ["curl", "--no-progress-meter", "--fail-early", "--parallel", "--parallel-immediate",
                   "--parallel-max", connections, "--config", self._config]
        effort, output = process.effort_of_command(*command, limit_s=limit_for(size_bytes))
        transferred = sum(int(line) for line in output.split())
        if transferred < size_bytes:
            raise SystemExit(f"curl transferred {transferred} bytes of {size_bytes}")
        return effort

    def _section(self, url: str, payload: bytes | None, option: str, counted: str) -> str:
        digest = "UNSIGNED-PAYLOAD" if payload is None else hashlib.sha256(payload).hexdigest()
        return "\n".join([
            f'url = "{url}"', option, "fail", 'write-out = "%{' + counted + '}\\n"',
            f'aws-sigv4 = "aws:amz:{self._server.region}:s3"',
            f'user = "{self._server.access_key}:{self._server.secret_key}"',
            f'header = "x-amz-content-sha256: {digest}"',
        ])


class MountedClient:
    """A FUSE client, mounted anew for each measurement: nothing is cached. It runs in front: its pid is known."""

    def __init__(self, name: str, mountpoint: pathlib.Path, command: list):
        self.name = name
        self._mountpoint = mountpoint
        self._mountpoint.mkdir()
        self._command = [str(word) for word in command]
        self._log = mountpoint.with_suffix(".log")

    def read(self, key: str, size_bytes: int) -> Effort:
        """From front to back."""
        with self._mounted() as pid:
            path = self._mountpoint / key
            if path.stat().st_size != size_bytes:
                raise SystemExit(f"{self.name} shows {path.stat().st_size} bytes instead of {size_bytes}")
            return process.effort_of_daemon(pid, lambda: file_work.read_sequentially(path), limit_for(size_bytes))

    def write(self, key: str, content: bytes) -> Effort:
        def work():
            file_work.write_durably(self._mountpoint / key, content, sync=False)

        with self._mounted() as pid:
            return process.effort_of_daemon(pid, work, limit_for(len(content)))

    @contextlib.contextmanager
    def _mounted(self):
        with open(self._log, "ab") as log:
            daemon = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                      env=without_aws(), start_new_session=True)
        try:
            self._wait_until_mounted(daemon)
            yield daemon.pid
        finally:
            self._end(daemon)

    def _wait_until_mounted(self, daemon) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._mountpoint.is_mount():
            if daemon.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{self.name} does not mount: {self._log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)

    def _end(self, daemon) -> None:
        """Gently, so that what it has in hand is done; else by force, and by pid."""
        with contextlib.suppress(SystemExit):
            process.run("fusermount3", "-u", self._mountpoint, timeout_s=30)
        try:
            daemon.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.unmount_lazily(self._mountpoint)
            daemon.kill()
            daemon.wait()


class Rclone:
    """Copies as fast as it can; also the benchmark's own way to list, upload and remove objects.

    Used as a context manager: what the benchmark put into the bucket is removed.
    """

    def __init__(self, server: S3Server, work: pathlib.Path):
        self._place = f"here:{server.bucket}/{server.prefix}"
        self._config = work / "rclone.conf"
        write_secretly(self._config, "\n".join([
            "[here]", "type = s3", "provider = Ceph", f"endpoint = {server.endpoint}", f"region = {server.region}",
            f"access_key_id = {server.access_key}", f"secret_access_key = {server.secret_key}",
            "force_path_style = true", "no_check_bucket = true", "disable_checksum = true", "chunk_size = 16M",
            f"upload_concurrency = {AT_ONCE}", ""]))

    def __enter__(self) -> "Rclone":
        return self

    def __exit__(self, *_) -> None:
        self._run("purge", self._place)

    def upload(self, file: pathlib.Path, key: str) -> Effort:
        size_bytes = file.stat().st_size
        return self._run("copyto", file, f"{self._place}/{key}", limit_s=limit_for(size_bytes))[0]

    def list(self, prefix: str) -> list:
        _, names = self._run("lsf", "-R", "--files-only", f"{self._place}/{prefix}")
        return [f"{prefix}/{name}" for name in names.split()]

    def remove(self, key: str) -> None:
        self._run("deletefile", f"{self._place}/{key}")

    def remove_all(self, prefix: str) -> None:
        self._run("purge", f"{self._place}/{prefix}")

    def mount_command(self, mountpoint: pathlib.Path) -> list:
        """Reads one stream per file: Debian's 1.60 has no --vfs-read-chunk-streams yet."""
        return self._words("mount", self._place, mountpoint, "--vfs-cache-mode", "off", "--buffer-size", "256M",
                           "--vfs-read-chunk-size", "64M")

    def _words(self, *words) -> list:
        return ["rclone", "--config", self._config, *words]

    def _run(self, *words, limit_s: float = process.COMMAND_TIMEOUT_S) -> tuple:
        return process.effort_of_command(*self._words(*words), limit_s=limit_s, environment=without_aws())


def mounted_rclone(rclone: Rclone, work: pathlib.Path) -> MountedClient:
    mountpoint = work / "rclone"
    return MountedClient("rclone", mountpoint, rclone.mount_command(mountpoint))


def mounted_s3fs(server: S3Server, work: pathlib.Path) -> MountedClient:
    passwords, mountpoint = work / "s3fs.passwd", work / "s3fs"
    write_secretly(passwords, f"{server.access_key}:{server.secret_key}\n")
    options = [f"passwd_file={passwords}", f"url={server.endpoint}", "use_path_request_style",
               f"endpoint={server.region}", "use_cache=", f"parallel_count={AT_ONCE}", "multipart_size=16",
               "big_writes", "complement_stat"]
    place = f"{server.bucket}:/{server.prefix}"
    return MountedClient("s3fs", mountpoint, ["s3fs", place, mountpoint, "-f", "-o", ",".join(options)])


def write_secretly(path: pathlib.Path, text: str) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
