// SPDX-License-Identifier: Apache-2.0
// kvcal.keep/1 as docs/profile-format.md lays it down.
#include <ATen/ATen.h>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/results.hpp"
#include "kvcal/profile/statistics.hpp"
#include "store/hdf5.hpp"

namespace kvcal {
namespace {

/// A KeepSet in the types of the file.
struct StoredLayer {
  at::Tensor indices;  // [kept] i32
  at::Tensor offsets;  // [kv_heads + 1] i64
};

StoredLayer as_stored(const KeepSet& kept) {
  return {kept.indices.to(at::kCPU, at::kInt).contiguous(),
          kept.offsets.to(at::kCPU, at::kLong).contiguous()};
}

template <class T>
std::span<const T> span_of(const at::Tensor& values) {
  return {values.const_data_ptr<T>(), static_cast<size_t>(values.numel())};
}

uint64_t hash_of(const std::vector<StoredLayer>& layers) {
  uint64_t hash = 0;
  for (const auto& layer : layers) {
    for (const auto& values : {layer.indices, layer.offsets}) {
      hash =
          stable_hash({static_cast<const char*>(values.const_data_ptr()), values.nbytes()}, hash);
    }
  }
  return hash;
}

}  // namespace

KeepDump::KeepDump(const std::filesystem::path& file)
    : writer_(std::make_unique<Hdf5Writer>(file)) {
  writer_->write_attribute<std::string>("/", "format", "kvcal.keep/1");
}

KeepDump::~KeepDump() = default;

void KeepDump::add(const std::string& task, const std::string& sample, const std::string& variant,
                   std::span<const KeepSet> layers) {
  const std::string group =
      fmt::format("/{}/{}/{}", escape_name(task), escape_name(sample), escape_name(variant));
  std::vector<StoredLayer> stored;
  for (const auto& kept : layers) stored.push_back(as_stored(kept));
  const auto [found, is_new] = hashes_.emplace(group, hash_of(stored));
  if (!is_new) {
    require(found->second == hash_of(stored), Kind::internal,
            "{}: {} is there already, with other entries", writer_->file().string(), group);
    return;
  }
  for (size_t layer = 0; layer < stored.size(); ++layer) {
    const std::string path = fmt::format("{}/layer_{}", group, layer);
    const auto& [indices, offsets] = stored[layer];
    writer_->write(path + "/indices", span_of<int32_t>(indices), {indices.numel()});
    writer_->write(path + "/offsets", span_of<int64_t>(offsets), {offsets.numel()});
  }
}

void KeepDump::finish() {
  writer_->finish();
}

}  // namespace kvcal
