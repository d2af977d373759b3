// Small files of the tensor formats, byte for byte as their own writers make them, with tensors of the test's choice.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"

namespace cairn::containers {

struct Tensor {
  std::string name;
  std::string bytes;
};

// As safetensors 0.3 does: header padded with spaces to eight bytes, tensors back to back.
std::string safetensors(const std::vector<Tensor>& tensors);
// As gguf-py does: version 3, some metadata (a tokenizer's array of strings among it), tensors padded to `alignment`.
std::string gguf(const std::vector<Tensor>& tensors, uint32_t alignment = 32);
// As numpy.save does for a one-dimensional array of uint8.
std::string npy(const std::string& bytes);
// As torch.save does (PyTorchStreamWriter): stored entries whose sizes follow in a descriptor, data at multiples of 64,
// the archive's name in front of each entry's.
std::string torch_zip(const std::string& archive, const std::vector<Tensor>& tensors);
// As numpy.savez does: stored entries, sizes in a zip64 field of the local header.
std::string npz(const std::vector<Tensor>& arrays);
// The same before zipfile has gone back to fill in the last entry's sizes.
std::string unfinished_npz(const std::vector<Tensor>& arrays);

}  // namespace cairn::containers
