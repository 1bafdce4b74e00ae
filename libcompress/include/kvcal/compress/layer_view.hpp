// SPDX-License-Identifier: Apache-2.0
// What a scorer or compactor sees of one layer of one prompt, and what it may ask for beforehand.
//
// Convention of the whole library: one prompt at a time, no batch dimension; order of dimensions is
// always [heads, tokens, head_dim]; tensors are contiguous in head_dim; query head h belongs to KV
// head h / group, group = heads / kv_heads (contiguous groups); RoPE is already applied to queries
// and keys.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace kvcal {

/// What a calibration profile supplies, as plain data. libcompress never learns where it came from.
struct ProfileFacts {
  /// [layers][heads], best first (CompressKV's head index); semantic retrieval heads.
  std::optional<std::vector<std::vector<int64_t>>> semantic_ranking;
  /// [layers], larger = eviction hurts this layer more; sums to 1.
  std::optional<std::vector<double>> layer_error;
};

/// What the engine must gather, and what the run must bring, before a method can work.
struct Needs {
  int64_t window_tokens = 0;      ///< queries of the last prompt tokens
  bool semantic_ranking = false;  ///< ProfileFacts::semantic_ranking
  bool layer_error = false;       ///< ProfileFacts::layer_error
  int64_t min_budget_tokens = 1;  ///< smallest budget per layer and KV head that can be honoured

  /// Both: the larger of each number, either of each claim.
  Needs operator|(const Needs& other) const;
};

struct LayerView {
  int64_t layer = 0;
  at::Tensor queries;  ///< [heads, window, head_dim], of the last prompt tokens; window >= needs
  at::Tensor keys;     ///< [kv_heads, tokens, head_dim]
  at::Tensor values;   ///< [kv_heads, tokens, head_dim]
  at::Tensor output_weight;               ///< [hidden, heads * head_dim]
  const ProfileFacts* profile = nullptr;  ///< never null when Needs asked for a part of it
  uint64_t seed = 0;  ///< of run and sample; the only randomness a method may use

  int64_t heads() const { return queries.size(0); }
  int64_t kv_heads() const { return keys.size(0); }
  int64_t tokens() const { return keys.size(1); }
  int64_t head_dim() const { return keys.size(2); }
};

}  // namespace kvcal
