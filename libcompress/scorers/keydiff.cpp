// SPDX-License-Identifier: Apache-2.0
/// KeyDiff: keep the keys that are least like the average key.
///
/// Source   arXiv:2504.15364; kvpress `presses/keydiff_press.py` (0.5.5).
/// Score    u[g, t] = k[g, t] / ||k[g, t]||; anchor[g] = mean over t of u[g, t];
///          s[g, t] = -cos(k[g, t], anchor[g]), in f32.
/// Keeps    nothing by rule.
/// Differs  from the paper, as kvpress without its BlockPress: the whole prompt is scored at once,
///          not block by block with the cache cut back in between.
/// Cost     time O(kv_heads * tokens * head_dim); memory O(kv_heads * tokens * head_dim) f32.
/// Checked  unit/keydiff_test.cpp, parity/compress (kvpress).
#include <ATen/ATen.h>

#include "kvcal/compress/scorer.hpp"

namespace kvcal {
namespace {

/// Below this a vector has no direction: that of PyTorch's normalize.
constexpr double kLeastNorm = 1e-12;

/// Vectors of length 1 along the last dimension.
at::Tensor directions(const at::Tensor& vectors) {
  return vectors / at::linalg_vector_norm(vectors, 2, {-1}, /*keepdim=*/true).clamp_min(kLeastNorm);
}

struct KeyDiff final : Scorer {
  struct Params {
    template <class Visitor>
    void visit(Visitor&) {}
  };

  explicit KeyDiff(const Params&) {}

  Needs needs() const override { return {}; }

  at::Tensor score(const LayerView& view) const override {
    const auto keys = directions(view.keys.to(at::kFloat));             // [kv_heads, tokens, dim]
    const auto anchors = directions(keys.mean(1, /*keepdim=*/true));    // [kv_heads, 1, dim]
    return at::matmul(keys, anchors.transpose(1, 2)).squeeze(2).neg();  // [kv_heads, tokens]
  }
};

}  // namespace

extern constexpr ScorerInfo scorer_keydiff =
    describe_scorer<KeyDiff>("keydiff", "keys that are least like the average key");

}  // namespace kvcal
