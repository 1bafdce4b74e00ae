// SPDX-License-Identifier: Apache-2.0
// What a Model holds; forward.cpp feeds chunks of one sequence, decode.cpp one token of each of
// several, together.cpp several tokens of each, from_layer.cpp the same from a layer on.
#pragma once

#include <ATen/core/Tensor.h>

#include <cmath>

#include "kvcal/profile/model.hpp"
#include "model/layer_ops.hpp"
#include "model/rope.hpp"
#include "model/thread_runs.hpp"
#include "model/weights.hpp"

namespace kvcal {

/// What attention of a layer is given.
struct HeadVectors {
  at::Tensor queries;              ///< [new, heads, head_dim]
  at::Tensor keys;                 ///< [new, kv_heads, head_dim]
  at::Tensor values;               ///< [new, kv_heads, head_dim]
  at::Tensor queries_before_rope;  ///< [heads, new, head_dim], a copy; undefined unless wanted
};

struct Model::Impl {
  ModelSpec spec;
  Weights weights;
  at::Tensor rope_frequencies;  // [head_dim / 2] f32
  int64_t chunk_tokens;

  double attention_scale() const {
    return 1.0 / std::sqrt(static_cast<double>(spec.config.head_dim));
  }

  /// @throws Error{input, internal} ids or their number do not fit model or cache
  void check(std::span<const int64_t> ids, const CompactCache& cache) const;
  /// [new, hidden]
  at::Tensor embed(std::span<const int64_t> ids) const;
  RopeTable rope_at(std::span<const Feed> feeds, const at::TensorOptions& options) const;
  /// @throws Error{numeric} logits that are not finite, and where that comes from
  void check_finite(const at::Tensor& logits) const;

  /// The residual stream through all layers: attention and gated MLP, each behind its norm.
  ///
  /// @param hidden     [new, hidden], after the embedding
  /// @param attention  (layer, normed [new, hidden]) -> [new, hidden]
  /// @param product    (x, weight, bias): project, or project_rows
  /// @return  [new, hidden], before the final norm
  template <class Attention, class Product>
  at::Tensor through_layers(at::Tensor hidden, Attention&& attention, Product&& product) const {
    for (int64_t l = 0; l < spec.config.layers; ++l) through_layer(l, hidden, attention, product);
    return hidden;
  }

  /// One layer of it, in place.
  template <class Attention, class Product>
  void through_layer(int64_t l, at::Tensor& hidden, Attention&& attention,
                     Product&& product) const {
    const double eps = spec.config.norm_eps;
    const auto& layer = weights.layers[static_cast<size_t>(l)];
    hidden += attention(l, rms_norm(hidden, layer.input_norm, eps));
    const auto mlp_input = rms_norm(hidden, layer.attention_norm, eps);
    const auto gate_up = product(mlp_input, layer.gate_up, layer.gate_up_bias);
    hidden += product(gated_silu(gate_up), layer.down, layer.down_bias);
  }

  at::Tensor attention_block(int64_t layer, const at::Tensor& normed, const RopeTable& rope,
                             const Feed& feed, LayerObserver* observer) const;
  /// One chunk through all layers; returns the residual stream before the final norm,
  /// [new, hidden].
  at::Tensor run_layers(const Feed& feed, LayerObserver* observer) const;
  void write_logits(const at::Tensor& hidden, at::Tensor out) const;

  std::vector<ThreadRun> runs_of(std::span<const Feed> feeds) const;
  /// Feeds runs of sequences on a thread each, where there is enough to feed.
  /// @param pass  (run) -> [new tokens of its sequences, hidden]
  /// @return  [all new tokens, hidden]
  at::Tensor in_runs(std::span<const Feed> feeds,
                     const std::function<at::Tensor(const ThreadRun&)>& pass) const;

  /// Appends the entries of what is fed and attends: what decode steps and forward_together share.
  /// @param before  as for forward_together
  /// @return  [all new tokens, heads, head_dim], sequence after sequence
  at::Tensor attend_each(int64_t layer, const HeadVectors& vectors, std::span<const Feed> feeds,
                         const BeforeAttention& before) const;
  at::Tensor attention_together(int64_t layer, const at::Tensor& normed, const RopeTable& rope,
                                std::span<const Feed> feeds, const BeforeAttention& before) const;
  /// Checks what is fed to one sequence at least; [all new tokens, hidden].
  at::Tensor embed_each(std::span<const Feed> feeds) const;
  /// @param hidden  [all new tokens, hidden], turned in place
  void through_layer_together(int64_t layer, at::Tensor& hidden, const RopeTable& rope,
                              std::span<const Feed> feeds, const BeforeAttention& before) const;

  /// From a layer on; [all new tokens, hidden] after the last norm.
  /// @param hidden  turned in place
  at::Tensor through_rest(int64_t first_layer, at::Tensor hidden, std::span<const Feed> feeds,
                          const BeforeAttention& before) const;

  at::Tensor decode_attention(int64_t layer, const at::Tensor& normed, const RopeTable& rope,
                              std::span<const DecodeRow> rows, std::span<const Feed> feeds,
                              LayerObserver* observer) const;
  /// [rows, hidden] after the last norm.
  at::Tensor through_decode(std::span<const DecodeRow> rows, std::span<const Feed> feeds,
                            LayerObserver* observer) const;
  /// One token of each row through all layers; [rows, vocab] f32 logits. Entries are appended to
  /// the caches, not committed.
  at::Tensor run_decode(std::span<const DecodeRow> rows, LayerObserver* observer) const;
};

/// Queries and keys normed where the model does that, and rotated in place.
/// @param qkv  [new, heads + 2 kv_heads, head_dim], after the projection
HeadVectors split_heads(const ModelSpec& spec, const LayerWeights& weights, const at::Tensor& qkv,
                        const RopeTable& rope, bool wants_before_rope);

}  // namespace kvcal
