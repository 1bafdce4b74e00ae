// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/keep_dump.hpp"

#include <ATen/ATen.h>

#include "kvcal/compress/error.hpp"
#include "store/hdf5.hpp"

namespace kvcal {
namespace {

/// Copies groups that both sides have member by member: shards of one task share their upper
/// groups.
void copy_new(const Hdf5Reader& from, const std::string& path, Hdf5Writer& to,
              const std::string& new_path) {
  if (!to.has(new_path)) {
    to.copy_from(from, path, new_path);
    return;
  }
  require(from.is_group(path), Kind::internal, "{}: {} is there twice", to.file().string(),
          new_path);
  for (const auto& name : from.children(path)) {
    copy_new(from, path + "/" + name, to, new_path + "/" + name);
  }
}

}  // namespace

std::string KeepKey::path() const {
  const bool is_aware = visibility.empty() || visibility == "aware";
  const std::string variant = method + "@" + budget + (is_aware ? "" : "@" + visibility);
  return escape_name(task) + "/" + escape_name(sample) + "/" + escape_name(variant);
}

void write_keep_sets(Hdf5Writer& writer, const std::string& root, const KeepKey& key,
                     std::span<const KeepSet> layers) {
  const std::string group = root + "/" + key.path();
  require(!writer.has(group), Kind::internal, "{}: keep sets of {} are there twice",
          writer.file().string(), group);
  for (size_t layer = 0; layer < layers.size(); ++layer) {
    const std::string path = fmt::format("{}/layer_{}", group, layer);
    const auto indices = layers[layer].indices.to(at::kCPU, at::kInt).contiguous();
    const auto offsets = layers[layer].offsets.to(at::kCPU, at::kLong).contiguous();
    writer.write(path + "/indices",
                 std::span<const int32_t>(indices.const_data_ptr<int32_t>(), indices.numel()),
                 {indices.numel()});
    writer.write(path + "/offsets",
                 std::span<const int64_t>(offsets.const_data_ptr<int64_t>(), offsets.numel()),
                 {offsets.numel()});
  }
}

KeepDump::KeepDump(const std::filesystem::path& file)
    : writer_(std::make_unique<Hdf5Writer>(file)) {
  writer_->write_attribute<std::string>("/", "format", "kvcal.keep/1");
}

KeepDump::~KeepDump() = default;

void KeepDump::add(const KeepKey& key, std::span<const KeepSet> layers) {
  write_keep_sets(*writer_, "", key, layers);
}

void KeepDump::add_from(const Hdf5Reader& shard, const std::string& root) {
  if (!shard.has(root)) return;
  for (const auto& task : shard.children(root)) {
    copy_new(shard, root + "/" + task, *writer_, "/" + task);
  }
}

void KeepDump::finish() {
  writer_->finish();
}

}  // namespace kvcal
