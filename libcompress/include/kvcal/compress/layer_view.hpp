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
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "kvcal/compress/head_shares.hpp"
#include "kvcal/compress/reference_queries.hpp"

namespace kvcal {

/// Which heads retrieve, and what the others keep (DuoAttention).
struct StreamingPattern {
  std::vector<std::vector<double>> retrieval;  ///< [layers][kv_heads] in 0 .. 1, high = retrieval
  int64_t sink_tokens = 0, recent_tokens = 0;  ///< what a streaming head keeps
};

/// What keeping less costs, measured one unit (a layer, or a KV head of one) at a time.
struct CostCurves {
  std::vector<double> shares;               ///< [points] of the prompt's tokens, ascending, last 1
  std::vector<std::vector<double>> losses;  ///< [units][points] mean loss, nats a token
};

/// How far eviction to so many tokens moves each layer's output.
struct ErrorCurves {
  std::vector<int64_t> tokens;              ///< [points] ascending
  std::vector<std::vector<double>> errors;  ///< [layers][points] mean relative errors
};

/// What a calibration profile supplies, as plain data. libcompress never learns where it came from.
struct ProfileFacts {
  /// [layers][heads], best first (CompressKV's head index); semantic retrieval heads.
  std::optional<std::vector<std::vector<int64_t>>> semantic_ranking;
  /// [layers], larger = eviction hurts this layer more; sums to 1.
  std::optional<std::vector<double>> layer_error;
  std::optional<ErrorCurves> layer_error_curves;
  /// [layers][heads] mean scores >= 0: the semantic ones, or those of an imported file (HeadKV).
  std::optional<std::vector<std::vector<double>>> head_scores;
  /// By kind (semantic, traditional, window, ...): [layers][heads] mean scores.
  std::map<std::string, std::vector<std::vector<double>>> head_kinds;
  std::optional<CostCurves> layer_costs;    ///< units: layers
  std::optional<CostCurves> kv_head_costs;  ///< units: layer * kv_heads + KV head
  std::optional<StreamingPattern> streaming_pattern;
  /// [steps][layers][kv_heads] share to prune at the overall share (step + 1) / (steps + 1)
  /// (LU-KV).
  std::optional<std::vector<std::vector<std::vector<double>>>> prune_table;
  /// [layers][kv_heads] share of all kept entries, sum 1 (Attention Matching).
  std::optional<std::vector<std::vector<double>>> kv_head_shares;
  /// Heads: layer * kv_heads + KV head (Attention Matching).
  std::optional<InfluenceCurves> kv_head_influence;
};

/// What the engine must gather, and what the run must bring, before a method can work.
struct Needs {
  int64_t window_tokens = 0;              ///< queries of the last prompt tokens
  bool column_sums = false;               ///< LayerStatistics::column_sums
  bool query_moments = false;             ///< LayerStatistics::query_mean, query_covariance
  bool replay = false;                    ///< LayerStatistics::replay_attention
  bool replay_weighted = false;           ///< LayerStatistics::replay_weighted
  int64_t context_queries = 0;            ///< LayerStatistics::context_queries, of each head
  int64_t repeat_queries = 0;             ///< LayerStatistics::repeat_queries
  int64_t study_queries = 0;              ///< LayerStatistics::study_queries
  bool sentences = false;                 ///< LayerView::sentences
  bool semantic_ranking = false;          ///< ProfileFacts::semantic_ranking
  std::set<std::string> head_kinds = {};  ///< of ProfileFacts::head_kinds
  bool layer_error = false;               ///< ProfileFacts::layer_error
  bool layer_error_curves = false;        ///< ProfileFacts::layer_error_curves
  bool head_scores = false;               ///< ProfileFacts::head_scores
  bool layer_costs = false;               ///< ProfileFacts::layer_costs
  bool kv_head_costs = false;             ///< ProfileFacts::kv_head_costs
  bool streaming_pattern = false;         ///< ProfileFacts::streaming_pattern
  bool prune_table = false;               ///< ProfileFacts::prune_table
  bool kv_head_shares = false;            ///< ProfileFacts::kv_head_shares
  bool kv_head_influence = false;         ///< ProfileFacts::kv_head_influence
  int64_t min_budget_tokens = 1;  ///< smallest budget per layer and KV head that can be honoured

  /// Both: the larger of each number, either of each claim.
  Needs operator|(const Needs& other) const;
  bool operator==(const Needs& other) const = default;
};

/// First tokens that the query moments leave out: their queries are unlike all others (kvpress).
constexpr int64_t kMomentsSkipTokens = 4;

/// What streamed out of the prefill besides keys and values; undefined unless it was asked for.
struct LayerStatistics {
  /// [heads, tokens] f32: attention that each token got from all prompt queries (causal softmax).
  at::Tensor column_sums;
  /// [heads, head_dim] f32: mean query before RoPE, tokens from kMomentsSkipTokens on.
  at::Tensor query_mean;
  /// [heads, head_dim, head_dim] f32: centred second moment of the same (divided by their count).
  at::Tensor query_covariance;
  /// [kv_heads, tokens] f32: largest attention that each token got while the model re-read the
  /// prompt (KVzip); 0 for tokens that were not re-read.
  at::Tensor replay_attention;
  /// [heads, tokens] f32: same for each query head, each attention divided by the norm of the
  /// attending token's layer input (KVzip+). By head, since what the largest of a group is depends
  /// on the heads' output projections.
  at::Tensor replay_weighted;
  /// Queries that stand for those to come (Attention Matching): of the prompt's own tokens, of the
  /// tokens by which the model repeats the prompt, and of texts about it that the model writes.
  ReferenceQueries context_queries, repeat_queries, study_queries;
};

struct LayerView {
  int64_t layer = 0;
  at::Tensor queries;  ///< [heads, window, head_dim], of the last prompt tokens; window >= needs
  at::Tensor keys;     ///< [kv_heads, tokens, head_dim]
  at::Tensor values;   ///< [kv_heads, tokens, head_dim]
  /// [kv_heads, tokens] f32 added to the scaled logits, where entries are those of a compacted
  /// cache; -inf pads KV heads with fewer. Undefined: zero.
  at::Tensor bias;
  at::Tensor output_weight;     ///< [hidden, heads * head_dim]
  at::Tensor rope_frequencies;  ///< [head_dim / 2] f32, radians per position
  LayerStatistics statistics;
  at::Tensor sentences;  ///< [tokens] i64 on the CPU: which sentence a token is in, from 0 upwards
  const ProfileFacts* profile = nullptr;  ///< never null when Needs asked for a part of it
  uint64_t seed = 0;  ///< of run and sample; the only randomness a method may use

  int64_t heads() const { return queries.size(0); }
  int64_t kv_heads() const { return keys.size(0); }
  int64_t tokens() const { return keys.size(1); }
  int64_t head_dim() const { return keys.size(2); }
};

/// What is found out of each layer; of several layers at once, see share_out.
/// @param find  safe from several threads
/// @throws  what `find` throws for the first layer that fails
std::vector<at::Tensor> of_each_layer(std::span<const LayerView> layers,
                                      const std::function<at::Tensor(const LayerView&)>& find);

}  // namespace kvcal
