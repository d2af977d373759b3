"""The S3 server that all clients of the benchmark talk to: one of its own, or one that runs already."""

import os
import pathlib

from process import run

START_RGW = pathlib.Path(__file__).resolve().parents[1] / "servers" / "start-rgw"


class S3Server:
    """Where it is, who we are there, and what is ours in its bucket: everything below `prefix`.

    Used as a context manager: what was started is stopped.
    """

    def __init__(self, prefix: str, home: pathlib.Path | None, room_gib: int, running: pathlib.Path | None):
        """Starts one below `home` with room for `room_gib`, or takes the one that `running` tells of: the file `env`
        of start-rgw, or the directory it is in."""
        self.prefix = prefix
        self._own_home = None if running else home
        if running is None:
            home.mkdir()
            run(START_RGW, "start", home, "--gib", room_gib)
            running = home
        env_file = running / "env" if running.is_dir() else running
        values = dict(line.split("=", 1) for line in env_file.read_text().splitlines() if "=" in line)
        self.endpoint, self.bucket, self.region = values["S3_ENDPOINT"], values["S3_BUCKET"], values["AWS_REGION"]
        self.access_key, self.secret_key = values["AWS_ACCESS_KEY_ID"], values["AWS_SECRET_ACCESS_KEY"]

    def __enter__(self) -> "S3Server":
        return self

    def __exit__(self, *_) -> None:
        if self._own_home:
            run(START_RGW, "stop", self._own_home)

    @property
    def store_url(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}/store?endpoint={self.endpoint}&region={self.region}&style=path"

    def url_of(self, key: str) -> str:
        return f"{self.endpoint}/{self.bucket}/{self.prefix}/{key}"

    def environment(self) -> dict:
        """For a daemon that takes its credentials from there, and no other setting of the one who runs this."""
        return without_aws() | {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key}

    def collect_garbage(self) -> None:
        """RGW keeps what was deleted for hours; in the memory of this machine there is no room for that."""
        if self._own_home:
            configuration = self._own_home / "ceph.conf"
            run("radosgw-admin", "-c", configuration, "-n", "client.rgw", "gc", "process", "--include-all")


def without_aws() -> dict:
    """A CA bundle for AWS, say, that is set around us is no business of this endpoint (and rclone refuses it)."""
    return {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
