"""A checkpoint in the safetensors format: eight bytes of length, a JSON header, then the tensors one after another."""

import json
import struct

TENSOR_BYTES = 32 << 20  # a whole number of chunks
CHUNK_BYTES = 4 << 20  # of a store, where `cairnfs init` is not told otherwise


def tensor_count(size_bytes: int) -> int:
    return size_bytes // TENSOR_BYTES


def header(tensors: int) -> bytes:
    entries = {
        f"layers.{i}.weight": {
            "dtype": "F32", "shape": [TENSOR_BYTES // 4],
            "data_offsets": [i * TENSOR_BYTES, (i + 1) * TENSOR_BYTES],
        }
        for i in range(tensors)
    }
    text = json.dumps(entries).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


def chunk_count(tensors: int) -> int:
    """Each tensor begins a chunk of its own; the header is one more."""
    return 1 + tensors * (TENSOR_BYTES // CHUNK_BYTES)
