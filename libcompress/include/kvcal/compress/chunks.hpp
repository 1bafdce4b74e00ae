// SPDX-License-Identifier: Apache-2.0
// Parts of a layer as layers of their own: chunks of a prompt that are compacted one by one and put
// together again, and an already compacted layer that is compacted once more.
#pragma once

#include <span>

#include "kvcal/compress/compact_cache.hpp"
#include "kvcal/compress/keep_set.hpp"
#include "kvcal/compress/layer_view.hpp"

namespace kvcal {

/// True where a part of a prompt has what is asked for: reference queries see any tokens; windows,
/// column sums, moments and replays are of the whole prompt.
bool can_be_chunked(const Needs& needs);

/// Tokens first .. first + count - 1, with the reference queries of all.
LayerView slice(const LayerView& view, int64_t first, int64_t count);

/// The tokens from `count` on, with all that is known of them: the first ones were fed for the sake
/// of the others. Statistics keep what the first ones took part in.
LayerView without_first(const LayerView& view, int64_t count);

/// All of them, in each KV head.
KeepSet keep_all(int64_t kv_heads, int64_t tokens);

/// Entries of each KV head one layer after the other; zero bias where only some layers have any.
CompactLayer concatenate(std::span<const CompactLayer> layers);

/// Tokens of the parts counted through; starts[i] is the first token of part i.
KeepSet concatenate(std::span<const KeepSet> parts, std::span<const int64_t> starts);

/// A layer's prefix and tail as what there is to compact: [kv_heads, entries, head_dim] keys and
/// values with the bias they have. KV heads with fewer entries end in entries of bias -inf.
LayerView view_of(const CacheLayer& layer);

}  // namespace kvcal
