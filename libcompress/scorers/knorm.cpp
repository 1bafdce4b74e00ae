// SPDX-License-Identifier: Apache-2.0
/// K-norm: keep the keys of small norm; they tend to draw most attention.
///
/// Source   arXiv:2406.11430; kvpress `presses/knorm_press.py` (0.5.5), KVCache-Factory
///          `L2NormCluster` (c97f9d7).
/// Score    s[g, t] = -||k[g, t]||_2 in f32 (RoPE does not change the norm).
/// Keeps    nothing by rule.
/// Differs  KVCache-Factory leaves layers 0 and 1 whole on top of the budget; here every layer has
///          its budget, as in kvpress.
/// Cost     time O(kv_heads * tokens * head_dim); memory O(kv_heads * tokens * head_dim) f32.
/// Checked  unit/knorm_test.cpp, parity/compress (kvpress).
#include <ATen/ATen.h>

#include "kvcal/compress/scorer.hpp"

namespace kvcal {
namespace {

struct KNorm final : Scorer {
  struct Params {
    template <class Visitor>
    void visit(Visitor&) {}
  };

  explicit KNorm(const Params&) {}

  Needs needs() const override { return {}; }

  at::Tensor score(const LayerView& view) const override {
    return at::linalg_vector_norm(view.keys.to(at::kFloat), 2, {2}).neg();  // [kv_heads, tokens]
  }
};

}  // namespace

extern constexpr ScorerInfo scorer_knorm = describe_scorer<KNorm>("knorm", "keys of small norm");

}  // namespace kvcal
