// SPDX-License-Identifier: Apache-2.0
// A context as the last sample left it: its prefill, and what the methods made of it. The next
// question about the same context starts from here.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/windows.hpp"
#include "kvcal/profile/engine.hpp"

namespace kvcal {

class Context {
 public:
  /// @param ids      of the context alone, without the question unless it is seen
  /// @param is_chat  it is the open user's turn of the chat format
  /// @param seed     see LayerView::seed
  Context(const PromptReader& reader, const ProfileFacts& facts, std::vector<int64_t> ids,
          bool is_chat, uint64_t seed);

  /// True where all that `variants` need is there or can be added.
  bool serves(std::span<const int64_t> ids, uint64_t seed, std::span<const Variant> variants) const;

  /// Prefills the whole context, if one of the variants is made from that.
  /// @param previous  another context or null: its chunks are taken over where they agree
  void prefill_whole(std::span<const Variant> variants, const Context* previous);
  /// What the prefill cannot give: see gather_more.
  void gather();
  /// Compacts window by window for the variants that are made so, all in one pass.
  void prefill_windows(std::span<const Variant> variants);
  /// Another question is asked: nothing is prefilled for it.
  void mark_reused();

  Compression compress(const Variant& variant, int64_t tail_capacity);

  int64_t tokens() const { return static_cast<int64_t>(ids_.size()); }
  /// Null: no variant needed it.
  const Prefilled* whole() const { return whole_ ? &*whole_ : nullptr; }
  double prefill_seconds(const Variant& variant) const;
  int64_t reused_tokens(const Variant& variant) const;

 private:
  Compression rewritten(const Variant& variant, int64_t budget, int64_t tail_capacity);

  PromptReader reader_;
  const ProfileFacts& facts_;
  std::vector<int64_t> ids_;
  bool is_chat_;
  uint64_t seed_;
  std::optional<Prefilled> whole_;
  std::optional<Compressor> compressor_;  // of the whole
  WindowedCompressor windows_;
  std::map<std::string, CompactCache> rewrites_;  // by method and budget
  bool is_reused_ = false;
};

}  // namespace kvcal
