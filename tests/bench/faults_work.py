"""How loaders read: through a mapping by many threads in an order of their own, or past the page cache, many at once.

Every wait in here is for the kernel and outside the interpreter's lock, as in the libraries that do this.
"""

import concurrent.futures
import ctypes
import json
import mmap
import os
import struct
import threading

PIECE_BYTES = 1 << 20
DIRECT_BYTES = 8 << 20
DIRECT_DEPTH = 32

_libc = ctypes.CDLL(None, use_errno=True)
_libc.memcpy.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long)
_libc.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
_libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
_libc.syscall.restype = ctypes.c_long

_IO_SETUP, _IO_DESTROY, _IO_GETEVENTS, _IO_SUBMIT = 206, 207, 208, 209  # x86-64
_IOCB_CMD_PREAD = 0


class _Iocb(ctypes.Structure):
    _fields_ = (("data", ctypes.c_uint64), ("key", ctypes.c_uint32), ("rw_flags", ctypes.c_uint32),
                ("opcode", ctypes.c_uint16), ("reqprio", ctypes.c_int16), ("fd", ctypes.c_uint32),
                ("buf", ctypes.c_uint64), ("nbytes", ctypes.c_uint64), ("offset", ctypes.c_int64),
                ("reserved", ctypes.c_uint64), ("flags", ctypes.c_uint32), ("resfd", ctypes.c_uint32))


class _Event(ctypes.Structure):
    _fields_ = (("data", ctypes.c_uint64), ("obj", ctypes.c_uint64), ("res", ctypes.c_int64), ("res2", ctypes.c_int64))


def checkpoint_header(sizes: list) -> bytes:
    """A safetensors header of tensors of these sizes, one after another."""
    entries, at = {}, 0
    for number, size in enumerate(sizes):
        entries[f"layers.{number}.weight"] = {"dtype": "F32", "shape": [size // 4], "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(entries).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


def tensor_stretches(path) -> list:
    """[(begin, end)] of a checkpoint's tensors, as their loader learns them: from the header."""
    with open(path, "rb") as file:
        header_bytes, = struct.unpack("<Q", file.read(8))
        entries = json.loads(file.read(header_bytes))
    begin = 8 + header_bytes
    return [(begin + low, begin + high) for low, high in (entry["data_offsets"] for entry in entries.values())]


class _Mapping:
    def __init__(self, path, advice: int | None = None):
        with open(path, "rb") as file:
            self.size_bytes = os.fstat(file.fileno()).st_size
            self.address = _libc.mmap(None, self.size_bytes, mmap.PROT_READ, mmap.MAP_SHARED, file.fileno(), 0)
        if self.address == ctypes.c_void_p(-1).value:
            raise OSError(ctypes.get_errno(), "mmap")
        if advice is not None and _libc.madvise(self.address, self.size_bytes, advice) != 0:
            raise OSError(ctypes.get_errno(), "madvise")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        _libc.munmap(self.address, self.size_bytes)


def sweep(path, stretches: list, threads: int, advice: int | None = None) -> None:
    """Copies the stretches out of one mapping, in their order; each thread takes the next that nobody has."""
    scratch = threading.local()

    def copy(stretch) -> None:
        if not hasattr(scratch, "buffer"):
            scratch.buffer = ctypes.create_string_buffer(PIECE_BYTES)
        for at in range(*stretch, PIECE_BYTES):
            _libc.memcpy(scratch.buffer, mapping.address + at, min(PIECE_BYTES, stretch[1] - at))

    with _Mapping(path, advice) as mapping, concurrent.futures.ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(copy, stretch) for stretch in stretches]:
            done.result()


def direct_arena():
    """Where read_direct() reads to; made beforehand, as by a loader that has pinned its memory."""
    return mmap.mmap(-1, DIRECT_DEPTH * DIRECT_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE)


def read_direct(path, arena) -> None:
    """libaio: DIRECT_DEPTH reads of DIRECT_BYTES in flight with O_DIRECT, from front to back."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
    context = ctypes.c_ulong(0)
    address = ctypes.addressof(ctypes.c_char.from_buffer(arena))
    try:
        _call(_IO_SETUP, DIRECT_DEPTH, ctypes.byref(context))
        _read_through(fd, context, address, os.fstat(fd).st_size)
    finally:
        _libc.syscall(_IO_DESTROY, context)
        os.close(fd)


def _read_through(fd: int, context, address: int, size_bytes: int) -> None:
    blocks = [_Iocb() for _ in range(DIRECT_DEPTH)]
    events = (_Event * DIRECT_DEPTH)()
    at, free, in_flight = 0, list(range(DIRECT_DEPTH)), 0
    while at < size_bytes or in_flight:
        while free and at < size_bytes:
            slot = free.pop()
            blocks[slot] = _Iocb(data=slot, opcode=_IOCB_CMD_PREAD, fd=fd, buf=address + slot * DIRECT_BYTES,
                                 nbytes=DIRECT_BYTES, offset=at)
            _call(_IO_SUBMIT, context, 1, ctypes.byref(ctypes.pointer(blocks[slot])))
            at, in_flight = at + DIRECT_BYTES, in_flight + 1
        for event in events[:_call(_IO_GETEVENTS, context, 1, DIRECT_DEPTH, events, None)]:
            if event.res <= 0:
                raise OSError(-event.res, "read of O_DIRECT")
            free.append(event.data)
            in_flight -= 1


def _call(number: int, *arguments) -> int:
    result = _libc.syscall(number, *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), f"system call {number}")
    return result
