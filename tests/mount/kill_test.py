"""kill -9 of the daemon in the middle of saves: nothing that was acknowledged is lost, and the store is clean."""
import hashlib
import os
import random
import subprocess
import sys
import time

from conftest import wait_until

ROUNDS = 50

# Saves numbered checkpoints over and over as frameworks do; says what is durable only after the call returned.
SAVER = """
import hashlib, os, random, sys
os.chdir(sys.argv[1])  # stays in the mount when that is detached
seed = int(sys.argv[2])
rng = random.Random(seed)
shared = rng.randbytes(3_000_000)
step = seed * 1000
while True:
    step += 1
    data = shared + rng.randbytes(rng.randrange(1, 2_000_000))
    with open("model.tmp", "wb") as file:
        file.write(data)
    print("saved model.tmp", hashlib.sha256(data).hexdigest(), flush=True)
    os.rename("model.tmp", "model")
    print("saved model", hashlib.sha256(data).hexdigest(), flush=True)
    with open(f"step-{step % 7}", "wb") as file:
        file.write(data[:70_000])
        file.flush()
        os.fsync(file.fileno())
        print(f"saved step-{step % 7}", hashlib.sha256(data[:70_000]).hexdigest(), flush=True)
"""


def acknowledged(output):
    """The last durable content of each name, and whether a rename may have come after it."""
    contents = {}
    for line in output.splitlines():
        _, name, digest = line.split()
        contents[name] = digest
    return contents


def test_fifty_kills_lose_nothing_acknowledged(bench):
    seed = int(os.environ.get("CAIRN_SEED", random.randrange(1 << 16)))
    print(f"CAIRN_SEED={seed}")
    rng = random.Random(seed)
    mount = bench.mount(start=False)
    expected = {}
    for round_number in range(ROUNDS):
        mount.start()
        saver = subprocess.Popen([sys.executable, "-c", SAVER, str(mount.path), str(round_number)],
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            # Before that it would work in the directory below the mount, for ever.
            wait_until(lambda: os.readlink(f"/proc/{saver.pid}/cwd") == str(mount.path))
            time.sleep(rng.uniform(0.01, 0.5))  # the moment of the kill is what is random here
            mount.kill()
            output, _ = saver.communicate(timeout=30)
        finally:
            saver.kill()
        expected.update(acknowledged(output))
        if round_number % 10 == 9:
            verify(bench, mount, expected)
    assert len(expected) >= 5, "the saver got somewhere"
    assert bench.check().returncode == 0


def verify(bench, mount, expected):
    mount.start()
    for name, digest in expected.items():
        if name == "model.tmp":
            continue  # renamed away, or about to be
        versions = mount.path / ".versions" / name
        digests = [hashlib.sha256((versions / number).read_bytes()).hexdigest()
                   for number in sorted(os.listdir(versions), key=int)]
        assert digest in digests, f"{name}: the acknowledged version {digest} is gone"
    mount.umount()
