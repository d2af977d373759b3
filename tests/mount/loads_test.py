"""Loads in an order of their own, through the kernel: the bytes are right, the order is left for others, and the next
shard comes by itself."""
import hashlib
import random
import sys

from conftest import cairnfs, run, wait_until

MIB = 1 << 20
TENSOR = 8 * MIB

# Copies pieces of a mapping by eight threads, in the order given, and prints the digest of all of them in file order.
SWEEP = """
import concurrent.futures, ctypes, hashlib, mmap, os, sys
libc = ctypes.CDLL(None)
libc.memcpy.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long)
libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
path, advice, piece = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
order = [int(word) for word in sys.argv[4].split(",")]
fd = os.open(path, os.O_RDONLY)
size = os.fstat(fd).st_size
address = libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, fd, 0)
assert libc.madvise(address, size, advice) == 0
out = ctypes.create_string_buffer(size)
def copy(number):
    for at in range(number * piece, (number + 1) * piece, 1 << 16):
        libc.memcpy(ctypes.addressof(out) + at, address + at, 1 << 16)
with concurrent.futures.ThreadPoolExecutor(8) as pool:
    for done in [pool.submit(copy, number) for number in order]:
        done.result()
print(hashlib.sha256(out.raw[:size]).hexdigest())
"""
MADV_NORMAL, MADV_RANDOM = 0, 1


def sweep(path, advice, order):
    return run(sys.executable, "-c", SWEEP, path, advice, TENSOR, ",".join(map(str, order))).stdout.strip()


def test_a_mapping_that_is_read_in_any_order_has_the_right_bytes_and_leaves_its_order(bench, store_directory):
    tensors = 12
    content = random.Random(1).randbytes(tensors * TENSOR)
    digest = hashlib.sha256(content).hexdigest()
    order = [9, 3, 6, 11, 1, 7, 0, 10, 4, 8, 2, 5]
    writer = bench.mount("writer")
    (writer.path / "model").write_bytes(content)
    writer.umount()
    for number, advice in enumerate((MADV_NORMAL, MADV_RANDOM)):
        host = bench.mount(f"host{number}")
        assert sweep(host.path / "model", advice, order) == digest
        wait_until(lambda: list(store_directory.glob("profiles/*/*")))
        reads = host.status()["reads"]
        assert reads["fetched_bytes"] < 1.2 * len(content)
        asked = host.status()["requests"]["get"]["prefetch"]["requests"]
        assert asked > tensors
        host.umount()
    assert len(list(store_directory.glob("profiles/*/*"))) == 1
    assert "load profiles" in cairnfs("check", bench.url).stdout


def test_no_load_profile_is_left_where_that_is_turned_off(bench, store_directory):
    content = random.Random(2).randbytes(12 * TENSOR)
    writer = bench.mount("writer")
    (writer.path / "model").write_bytes(content)
    host = bench.mount("host", "--no-load-profile")
    sweep(host.path / "model", MADV_NORMAL, range(11, -1, -1))
    host.umount()
    assert not list(store_directory.glob("profiles/*/*"))


def test_the_next_shard_comes_into_the_cache_while_one_is_read(bench):
    writer = bench.mount("writer")
    for number in (1, 2):
        (writer.path / f"model-0000{number}-of-00002.bin").write_bytes(random.Random(number).randbytes(3 * TENSOR))
    hosts = bench.mount("host"), bench.mount("alone", "--no-prefetch-siblings")
    for host in hosts:
        with open(host.path / "model-00001-of-00002.bin", "rb") as file:
            while file.read(MIB):
                pass
            if host is hosts[0]:
                wait_until(lambda: hosts[0].status()["reads"]["chunks_fetched"] >= 12)
    assert hosts[1].status()["reads"]["chunks_fetched"] == 6
