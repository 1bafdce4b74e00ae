// SPDX-License-Identifier: Apache-2.0
// Keep dump (`--dump-keep`): which KV entries each method kept, for serving engines and for
// comparison with other tools. Only for evicting methods; a rebuilt cache has no kept indices.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "kvcal/compress/keep_set.hpp"

namespace kvcal {

class Hdf5Reader;
class Hdf5Writer;

struct KeepKey {
  std::string task, sample, method, budget, visibility;

  /// "<task>/<sample>/<method>@<budget>", each part escaped; a visibility other than "aware" is
  /// added as "@<visibility>". Masks are no part of it: they change decoding, not what is kept.
  std::string path() const;
};

/// Writes `<root>/<key>/layer_<l>/{indices,offsets}`, so that a shard can carry the keep sets of
/// its unit.
///
/// @param layers  one per layer
/// @throws Error{internal} the same key twice
void write_keep_sets(Hdf5Writer& writer, const std::string& root, const KeepKey& key,
                     std::span<const KeepSet> layers);

/// The file: begun before the run, filled sample by sample, in place after finish().
class KeepDump {
 public:
  /// @throws Error{input} not writable
  explicit KeepDump(const std::filesystem::path& file);
  ~KeepDump();

  void add(const KeepKey& key, std::span<const KeepSet> layers);
  /// What write_keep_sets put below `root` of a shard; nothing if there is no such group.
  void add_from(const Hdf5Reader& shard, const std::string& root);
  void finish();

 private:
  std::unique_ptr<Hdf5Writer> writer_;
};

}  // namespace kvcal
