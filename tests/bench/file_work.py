"""The same work for a mounted and a local file: what programs do to checkpoints."""

import json
import mmap
import os
import struct
import threading

BUFFER_BYTES = 1 << 20


def read_sequentially(path) -> None:
    """What `cat` does."""
    buffer = bytearray(BUFFER_BYTES)
    fd = os.open(path, os.O_RDONLY)
    try:
        while os.readv(fd, [buffer]):
            pass
    finally:
        os.close(fd)


def sweep_mapping(path) -> None:
    """What a framework does with an mmap'd checkpoint: copies it out from front to back, through page faults."""
    out = memoryview(bytearray(BUFFER_BYTES))
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapping:
        with memoryview(mapping) as view:
            for offset in range(0, len(view), BUFFER_BYTES):
                piece = view[offset:offset + BUFFER_BYTES]
                out[:len(piece)] = piece
                piece.release()


def load_one_tensor(path, name: str) -> bytes:
    """What safetensors' `safe_open(path).get_tensor(name)` does: reads the header, copies a stretch of the mapping."""
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapping:
        header_bytes, = struct.unpack("<Q", mapping[:8])
        begin, end = json.loads(mapping[8:8 + header_bytes])[name]["data_offsets"]
        return mapping[8 + header_bytes + begin:8 + header_bytes + end]


def read_files_in_parallel(paths) -> None:
    """A reader for each, all at once."""
    threads = [threading.Thread(target=read_sequentially, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def read_in_parallel(path, size_bytes: int, readers: int) -> None:
    """Each reader takes its own stretch of the file."""
    stretch = size_bytes // readers

    def read_stretch(begin: int) -> None:
        buffer = bytearray(BUFFER_BYTES)
        fd = os.open(path, os.O_RDONLY)
        try:
            for offset in range(begin, begin + stretch, BUFFER_BYTES):
                os.preadv(fd, [buffer], offset)
        finally:
            os.close(fd)

    threads = [threading.Thread(target=read_stretch, args=(i * stretch,)) for i in range(readers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def write_durably(path, content: bytes, sync: bool) -> None:
    """A close makes a mounted file durable; a local one needs its fsync."""
    view = memoryview(content)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        for offset in range(0, len(view), BUFFER_BYTES):
            os.write(fd, view[offset:offset + BUFFER_BYTES])
        if sync:
            os.fsync(fd)
    finally:
        os.close(fd)


def create_files(directory, count: int) -> None:
    for i in range(count):
        os.close(os.open(directory / f"file-{i:05}", os.O_WRONLY | os.O_CREAT, 0o644))


def stat_files(directory, count: int) -> None:
    for i in range(count):
        os.stat(directory / f"file-{i:05}")
