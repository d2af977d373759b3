"""Buckets with terms of their own, and credentials by profile, on a real S3 server."""
import json
import os
import stat
import uuid

import pytest

from conftest import Bench, cairnfs, run, shared_s3_server

CHUNK = 4 << 20


@pytest.fixture
def server():
    return shared_s3_server()


def curl(server, method, path, *options):
    keys = ":".join(server.credentials[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
    return run("curl", "-sS", "--fail-with-body", "-X", method, f"{server.endpoint}/{path}", "--aws-sigv4",
               f"aws:amz:{server.region}:s3", "--user", keys, "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD",
               *options).stdout


@pytest.fixture
def open_bench(tmp_path):
    """Makes a store at a URL; its mounts are gone after the test."""
    made = []

    def make(url):
        made.append(Bench(tmp_path, url))
        return made[-1]

    yield make
    for mount in (mount for bench in made for mount in bench.mounts):
        mount.end()


def survives_a_change_of_host(bench):
    """What one host writes another one reads, also after a removal."""
    writer = bench.mount("writer")
    content = os.urandom(2 * CHUNK + 5)
    (writer.path / "model").write_bytes(content)
    (writer.path / "gone").write_bytes(b"gone")
    (writer.path / "gone").unlink()
    writer.umount()
    reader = bench.mount("reader")
    assert os.listdir(reader.path) == ["model"]
    assert (reader.path / "model").read_bytes() == content
    assert bench.check().returncode == 0
    return reader


def test_a_tenants_bucket_is_another_one_than_ours_of_the_same_name(open_bench, server, monkeypatch):
    server.sign_in(monkeypatch)
    prefix = f"tenant-{uuid.uuid4()}"
    survives_a_change_of_host(open_bench(server.url(prefix, bucket=server.tenant_bucket)))
    query = f"?list-type=2&max-keys=1&prefix={prefix}"
    assert f"<Key>{prefix}/" in curl(server, "GET", server.tenant_bucket.replace(":", "%3A") + "/" + query)
    assert "<Key>" not in curl(server, "GET", f"{server.bucket}/{query}")


def test_what_is_stored_is_encrypted_with_the_key_that_was_named(open_bench, server, monkeypatch):
    server.sign_in(monkeypatch)
    url = f"{server.new_url()}&sse=aws:kms&sse-kms-key-id={server.kms_key}&requester-pays=true"
    mount = survives_a_change_of_host(open_bench(url))
    prefix = url.split("/")[3].split("?")[0]
    head = run("sh", "-c", 'curl -sS -I "$@"', "sh", f"{server.endpoint}/{server.bucket}/{prefix}/cairn.format",
               "--aws-sigv4", f"aws:amz:{server.region}:s3", "--user",
               ":".join(list(server.credentials.values())[:2]), "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD").stdout
    assert "x-amz-server-side-encryption: aws:kms" in head and server.kms_key in head, head
    with open("/proc/mounts") as mounts:
        assert f"sse-kms-key-id={server.kms_key}" in mounts.read()
    assert mount.status()


@pytest.mark.parametrize("terms", ["sse=AES256", "sse=aws:kms&sse-kms-key-id=no-such-key", "storage-class=ONEZONE_IA"])
def test_terms_that_the_endpoint_does_not_keep_are_refused_before_a_store_is_made(server, monkeypatch, terms):
    server.sign_in(monkeypatch)
    url = server.new_url()
    refused = cairnfs("init", f"{url}&{terms}", ok=False)
    assert refused.returncode != 0 and terms.split("&")[0].replace(":", "%3A") in refused.stderr.replace(
        "aws:kms", "aws%3Akms"), refused.stderr
    cairnfs("init", url)  # nothing of a store is there


def test_terms_that_are_added_later_are_proven_before_anything_is_written(open_bench, server, monkeypatch):
    server.sign_in(monkeypatch)
    bench = open_bench(server.new_url())
    mount = bench.mount()
    (mount.path / "f").write_bytes(b"f")
    mount.umount()
    mount.store += "&sse=AES256"
    refused = mount.start(ok=False)
    assert "does not encrypt it as sse=AES256 asks" in refused.stderr, refused.stderr
    mount.store = bench.url
    mount.start()
    assert (mount.path / "f").read_bytes() == b"f"


# Credentials ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home directory without credentials, and nothing in the environment."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    (tmp_path / ".aws").mkdir()
    return tmp_path


def credential_process(home, server):
    """A program that prints the server's keys; the setting that names it."""
    program = home / "my tools" / "keys"
    program.parent.mkdir()
    answer = {"Version": 1, "AccessKeyId": server.credentials["AWS_ACCESS_KEY_ID"],
              "SecretAccessKey": server.credentials["AWS_SECRET_ACCESS_KEY"]}
    program.write_text(f"#!/bin/sh\n[ \"$1\" = 'a b' ] || exit 9\necho run >>\"$0.log\"\necho '{json.dumps(answer)}'\n")
    program.chmod(stat.S_IRWXU)
    return f"credential_process = '{program}' \"a b\"\n"


def test_a_credential_process_gives_the_keys_of_a_mount(open_bench, server, home):
    (home / ".aws" / "config").write_text("[profile helper]\n" + credential_process(home, server))
    bench = open_bench(server.new_url() + "&profile=helper")
    mount = survives_a_change_of_host(bench)
    with open(mount.status()["log_file"]) as log:
        told = log.read()
    assert f"s3: credentials of profile 'helper' of {home}/.aws/config\n" in told
    assert server.credentials["AWS_SECRET_ACCESS_KEY"] not in told
    assert (home / "my tools" / "keys.log").read_text().count("run") < 20, "once for each opening of the store"


def test_a_credential_process_that_fails_is_told_and_not_shown(server, home):
    (home / ".aws" / "config").write_text("[profile helper]\ncredential_process = sh -c 'echo geheim >&2; exit 3'\n")
    refused = cairnfs("init", server.new_url() + "&profile=helper", ok=False)
    assert "credential_process: it failed with status 3" in refused.stderr and "geheim" not in refused.stderr


def test_a_role_is_assumed_with_the_keys_of_its_source_profile(open_bench, server, home, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.endpoint)
    (home / ".aws" / "config").write_text(
        f"[profile trainer]\nrole_arn = {server.role}\nsource_profile = base\nrole_session_name = host-7\n"
        "[profile base]\n" + credential_process(home, server))
    mount = survives_a_change_of_host(open_bench(server.new_url() + "&profile=trainer"))
    with open(mount.status()["log_file"]) as log:
        assert f"s3: credentials of profile 'trainer' of {home}/.aws/config\n" in log.read()


def test_a_role_that_is_not_ours_is_refused_with_its_name(server, home, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.endpoint)
    (home / ".aws" / "config").write_text(
        f"[profile other]\nrole_arn = {server.role}-other\nsource_profile = base\n"
        "[profile base]\n" + credential_process(home, server))
    refused = cairnfs("init", server.new_url() + "&profile=other", ok=False)
    assert f"assume role {server.role}-other at {server.endpoint}/" in refused.stderr, refused.stderr
