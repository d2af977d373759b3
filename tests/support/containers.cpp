#include "tests/support/containers.h"

#include <fmt/format.h>

namespace cairn::containers {

namespace {

constexpr uint32_t kInZip64 = 0xffffffff;

template <class T>
void put(T value, std::string* out) {
  std::byte bytes[sizeof(T)];
  store_le(value, bytes);
  out->append(as_text(bytes));
}

void put_gguf_string(const std::string& text, std::string* out) {
  put<uint64_t>(text.size(), out);
  *out += text;
}

void pad_to(size_t alignment, char with, std::string* out) {
  while (out->size() % alignment != 0) out->push_back(with);
}

struct ZipEntry {
  std::string name;
  uint64_t data_bytes = 0;
  uint64_t header_at = 0;
};

void put_local_header(uint16_t version, uint16_t flags, uint32_t stored, uint32_t plain, const std::string& name,
                      const std::string& extra, std::string* out) {
  *out += "PK\x03\x04";
  put<uint16_t>(version, out);
  put<uint16_t>(flags, out);
  put<uint16_t>(0, out);  // stored
  put<uint32_t>(0, out);  // time
  put<uint32_t>(0, out);  // CRC: no reader of ours looks at it
  put<uint32_t>(stored, out);
  put<uint32_t>(plain, out);
  put<uint16_t>(static_cast<uint16_t>(name.size()), out);
  put<uint16_t>(static_cast<uint16_t>(extra.size()), out);
  *out += name + extra;
}

void put_central_directory(const std::vector<ZipEntry>& entries, std::string* out) {
  const auto begin = static_cast<uint32_t>(out->size());
  for (const ZipEntry& entry : entries) {
    *out += "PK\x01\x02";
    out->append(16, '\0');
    put<uint32_t>(static_cast<uint32_t>(entry.data_bytes), out);
    put<uint32_t>(static_cast<uint32_t>(entry.data_bytes), out);
    put<uint16_t>(static_cast<uint16_t>(entry.name.size()), out);
    out->append(12, '\0');
    put<uint32_t>(static_cast<uint32_t>(entry.header_at), out);
    *out += entry.name;
  }
  const auto size = static_cast<uint32_t>(out->size()) - begin;
  *out += "PK\x05\x06";
  put<uint32_t>(0, out);
  put<uint16_t>(static_cast<uint16_t>(entries.size()), out);
  put<uint16_t>(static_cast<uint16_t>(entries.size()), out);
  put<uint32_t>(size, out);
  put<uint32_t>(begin, out);
  put<uint16_t>(0, out);
}

// PyTorch pads the header with a field "FB" so that the data starts at a multiple of 64.
std::string torch_padding(size_t header_at, const std::string& name) {
  const size_t unpadded = header_at + 30 + name.size() + 4;
  std::string padding = "FB";
  put<uint16_t>(static_cast<uint16_t>((64 - unpadded % 64) % 64), &padding);
  return padding.append((64 - unpadded % 64) % 64, 'Z');
}

void put_torch_entry(const std::string& name, const std::string& data, std::vector<ZipEntry>* entries,
                     std::string* out) {
  constexpr uint16_t kFlags = 0x808;  // UTF-8, descriptor
  entries->push_back({name, data.size(), out->size()});
  put_local_header(0, kFlags, 0, 0, name, torch_padding(out->size(), name), out);
  *out += data;
  *out += "PK\x07\x08";
  put<uint32_t>(0, out);
  put<uint32_t>(static_cast<uint32_t>(data.size()), out);
  put<uint32_t>(static_cast<uint32_t>(data.size()), out);
}

void put_npz_entry(const Tensor& array, bool is_filled_in, std::vector<ZipEntry>* entries, std::string* out) {
  const std::string data = npy(array.bytes);
  entries->push_back({array.name + ".npy", data.size(), out->size()});
  std::string zip64;
  put<uint16_t>(1, &zip64);
  put<uint16_t>(16, &zip64);
  put<uint64_t>(is_filled_in ? data.size() : 0, &zip64);
  put<uint64_t>(is_filled_in ? data.size() : 0, &zip64);
  put_local_header(20, 0, kInZip64, kInZip64, array.name + ".npy", zip64, out);
  *out += data;
}

}  // namespace

std::string safetensors(const std::vector<Tensor>& tensors) {
  std::string header = R"({"__metadata__":{"format":"pt"})";
  std::string data;
  for (const auto& [name, bytes] : tensors) {
    header += fmt::format(R"(,"{}":{{"dtype":"U8","shape":[{}],"data_offsets":[{},{}]}})", name, bytes.size(),
                          data.size(), data.size() + bytes.size());
    data += bytes;
  }
  header += "}";
  pad_to(8, ' ', &header);
  std::string file;
  put<uint64_t>(header.size(), &file);
  return file + header + data;
}

std::string gguf(const std::vector<Tensor>& tensors, uint32_t alignment) {
  constexpr uint32_t kUint32 = 4, kString = 8, kArray = 9, kFloat32Array = 6, kTypeI8 = 24;
  std::string file = "GGUF";
  put<uint32_t>(3, &file);
  put<uint64_t>(tensors.size(), &file);
  put<uint64_t>(4, &file);
  put_gguf_string("general.architecture", &file);
  put(kString, &file);
  put_gguf_string("llama", &file);
  put_gguf_string("general.alignment", &file);
  put(kUint32, &file);
  put(alignment, &file);
  put_gguf_string("tokenizer.ggml.tokens", &file);
  put(kArray, &file);
  put(kString, &file);
  put<uint64_t>(1000, &file);
  for (int i = 0; i < 1000; ++i) put_gguf_string(fmt::format("token{}", i), &file);
  put_gguf_string("tokenizer.ggml.scores", &file);
  put(kArray, &file);
  put(kFloat32Array, &file);
  put<uint64_t>(1000, &file);
  file.append(4000, '\0');
  std::string data;
  for (const auto& [name, bytes] : tensors) {
    put_gguf_string(name, &file);
    put<uint32_t>(1, &file);
    put<uint64_t>(bytes.size(), &file);
    put(kTypeI8, &file);
    put<uint64_t>(data.size(), &file);
    data += bytes;
    pad_to(alignment, '\0', &data);
  }
  pad_to(alignment, '\0', &file);
  return file + data;
}

std::string npy(const std::string& bytes) {
  std::string header = fmt::format("{{'descr': '|u1', 'fortran_order': False, 'shape': ({},), }}", bytes.size());
  header.append(128 - 10 - 1 - header.size(), ' ');
  header += "\n";
  std::string file = "\x93NUMPY";
  put<uint16_t>(1, &file);  // version 1.0
  put<uint16_t>(static_cast<uint16_t>(header.size()), &file);
  return file + header + bytes;
}

std::string torch_zip(const std::string& archive, const std::vector<Tensor>& tensors) {
  std::string file;
  std::vector<ZipEntry> entries;
  put_torch_entry(archive + "/data.pkl", "\x80\x02}q.", &entries, &file);
  for (const auto& [name, bytes] : tensors) put_torch_entry(archive + "/data/" + name, bytes, &entries, &file);
  put_torch_entry(archive + "/version", "3\n", &entries, &file);
  put_central_directory(entries, &file);
  return file;
}

std::string npz(const std::vector<Tensor>& arrays) {
  std::string file;
  std::vector<ZipEntry> entries;
  for (const Tensor& array : arrays) put_npz_entry(array, true, &entries, &file);
  put_central_directory(entries, &file);
  return file;
}

std::string unfinished_npz(const std::vector<Tensor>& arrays) {
  std::string file;
  std::vector<ZipEntry> entries;
  for (const Tensor& array : arrays) put_npz_entry(array, &array != &arrays.back(), &entries, &file);
  return file;
}

}  // namespace cairn::containers
