// SPDX-License-Identifier: Apache-2.0
// Tensors in safetensors files: one file, or the shards that an index names. Read through a
// mapping, so that no more than the tensor being converted is in memory. Nothing in a file is
// trusted.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace kvcal {

struct TensorEntry {
  std::string dtype;  ///< as the file says: "F32", "BF16", ...
  std::vector<int64_t> shape;
  size_t begin_bytes = 0;  ///< from the start of the file
  size_t size_bytes = 0;
};

/// Parses and checks the header of a whole file's bytes.
///
/// @param file   for error messages
/// @throws Error{input}  header length, JSON, dtype, shape or offsets are wrong, with tensor and
/// numbers
std::map<std::string, TensorEntry> parse_safetensors(std::span<const std::byte> bytes,
                                                     const std::string& file);

class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::filesystem::path& path);
  ~SafetensorsFile();
  SafetensorsFile(const SafetensorsFile&) = delete;
  SafetensorsFile& operator=(const SafetensorsFile&) = delete;

  const std::map<std::string, TensorEntry>& entries() const { return entries_; }
  const std::string& path() const { return path_; }
  std::span<const std::byte> bytes(const TensorEntry& entry) const;
  /// Gives the pages of a tensor that was read back to the system.
  void release(const TensorEntry& entry) const;

 private:
  std::string path_;
  const std::byte* data_ = nullptr;
  size_t size_bytes_ = 0;
  std::map<std::string, TensorEntry> entries_;
};

/// The tensors of a model directory.
class SafetensorsModel {
 public:
  /// @throws Error{input}  neither model.safetensors nor model.safetensors.index.json, or a bad one
  explicit SafetensorsModel(const std::filesystem::path& directory);

  bool has(const std::string& name) const { return file_of_.contains(name); }
  /// @throws Error{input}  no such tensor, or its dtype is not f32, bf16 or f16
  at::ScalarType dtype(const std::string& name) const;

  /// Copies a tensor into `out`, converting its dtype, and releases its pages.
  /// @param out  contiguous, on the CPU; its shape is the shape needed
  /// @throws Error{input}  no such tensor, wrong dtype, wrong shape
  void read(const std::string& name, at::Tensor out) const;

 private:
  const SafetensorsFile& file_of(const std::string& name) const;
  const SafetensorsFile& open(const std::filesystem::path& path);

  std::string directory_;
  std::map<std::string, std::unique_ptr<SafetensorsFile>> files_;
  std::map<std::string, const SafetensorsFile*> file_of_;
};

}  // namespace kvcal
