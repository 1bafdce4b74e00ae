// SPDX-License-Identifier: Apache-2.0
// A reference case: a safetensors file with the inputs or outputs of another implementation. Reads
// the f32, f64 and i64 tensors of small files; not a model reader.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>

namespace kvcal::test {

class SafetensorsCase {
 public:
  /// @throws Error{input} not a safetensors file, or another dtype
  explicit SafetensorsCase(const std::filesystem::path& file);

  /// @throws Error{input} naming the file and the tensors that it has
  at::Tensor operator[](const std::string& name) const;
  bool has(const std::string& name) const { return tensors_.count(name) != 0; }

 private:
  std::string file_;
  std::map<std::string, at::Tensor> tensors_;
};

}  // namespace kvcal::test
