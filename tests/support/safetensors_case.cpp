// SPDX-License-Identifier: Apache-2.0
#include "support/safetensors_case.hpp"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "kvcal/compress/error.hpp"

namespace kvcal::test {
namespace {

at::ScalarType dtype_of(const std::string& name, const std::string& file) {
  if (name == "F32") return at::kFloat;
  if (name == "F64") return at::kDouble;
  if (name == "I64") return at::kLong;
  fail(Kind::input, "{}: tensors of {}, need F32, F64 or I64", file, name);
}

}  // namespace

SafetensorsCase::SafetensorsCase(const std::filesystem::path& file) : file_(file.string()) {
  std::ifstream stream(file, std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(stream), {});
  uint64_t header_bytes = 0;
  require(bytes.size() > sizeof(header_bytes), Kind::input, "{}: not a safetensors file", file_);
  std::memcpy(&header_bytes, bytes.data(), sizeof(header_bytes));
  const char* header = bytes.data() + sizeof(header_bytes);
  const auto entries = nlohmann::json::parse(header, header + header_bytes);
  for (const auto& [name, entry] : entries.items()) {
    if (name == "__metadata__") continue;
    auto tensor = at::empty(entry.at("shape").get<std::vector<int64_t>>(),
                            dtype_of(entry.at("dtype").get<std::string>(), file_));
    const auto begin = entry.at("data_offsets").at(0).get<size_t>();
    std::memcpy(tensor.mutable_data_ptr(), header + header_bytes + begin, tensor.nbytes());
    tensors_[name] = tensor;
  }
}

at::Tensor SafetensorsCase::operator[](const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found != tensors_.end()) return found->second;
  std::vector<std::string> names;
  for (const auto& [key, tensor] : tensors_) names.push_back(key);
  fail(Kind::input, "{}: no tensor '{}' (has {})", file_, name, fmt::join(names, ", "));
}

}  // namespace kvcal::test
