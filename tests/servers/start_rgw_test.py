"""start-rgw: what tests of failures rely on."""
import os
import pathlib
import subprocess

import pytest

SCRIPT = pathlib.Path(__file__).with_name("start-rgw")


def run(command, directory, **options):
    return subprocess.run(
        [SCRIPT, command, directory], capture_output=True, text=True, timeout=120, check=False, **options)


def curl(server, *arguments):
    done = subprocess.run(
        ["curl", "-sS", "--aws-sigv4", f"aws:amz:{server['AWS_REGION']}:s3",
         "--user", f"{server['AWS_ACCESS_KEY_ID']}:{server['AWS_SECRET_ACCESS_KEY']}",
         "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD", "-w", "%{http_code}", *arguments],
        capture_output=True, text=True, timeout=30, check=False)
    return done.stdout


@pytest.fixture(name="started")
def _started(tmp_path):
    """A server's directory, and what start printed."""
    # The pipes of capture_output end although the daemons live on: they hold nothing of their starter's open.
    done = run("start", tmp_path / "rgw")
    if done.returncode == 77:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    yield tmp_path / "rgw", dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert run("stop", tmp_path / "rgw").returncode == 0


def test_objects_survive_a_killed_gateway_and_nothing_survives_stop(started):
    directory, server = started
    url = f"{server['S3_ENDPOINT']}/{server['S3_BUCKET']}/key"
    assert curl(server, "-X", "PUT", "--data-binary", "bytes", url) == "200"
    assert curl(server, "-X", "PUT", "--data-binary", "other", "-H", "If-None-Match: *", url).endswith("412")

    assert run("kill-rgw", directory).returncode == 0
    assert curl(server, url) == "000", "it still answers"
    assert run("restart-rgw", directory).returncode == 0
    assert curl(server, url) == "bytes200"

    assert run("stop", directory).returncode == 0
    assert curl(server, url) == "000", "it still answers"
    assert not list(directory.iterdir()), "files were left"
    assert "nothing was started" in run("restart-rgw", directory).stderr


def test_missing_programs_are_named_and_can_be_required(tmp_path):
    (tmp_path / "python3").symlink_to("/usr/bin/python3")
    environment = {"PATH": str(tmp_path)}
    skipped = run("start", tmp_path / "rgw", env=environment)
    assert skipped.returncode == 77 and "radosgw" in skipped.stderr
    assert run("start", tmp_path / "rgw", env=environment | {"CAIRN_REQUIRE_S3": "1"}).returncode == 1
    assert not os.path.exists(tmp_path / "rgw")
