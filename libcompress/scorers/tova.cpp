// SPDX-License-Identifier: Apache-2.0
/// TOVA: keep the tokens that the last prompt token attends to, all heads together.
///
/// Source   arXiv:2401.06104; kvpress `presses/tova_press.py` (0.5.5).
/// Score    A = softmax(q k^T / sqrt(head_dim)) in f32 of the last query over all tokens;
///          s[t] = mean over all heads h of A[h, t], t < tokens - 1: one ranking for every KV head
///          of the layer.
/// Keeps    the last token (+inf).
/// Differs  from the paper, as kvpress: it evicts at every decoding step and does not force the
///          last token.
/// Cost     time O(heads * tokens * head_dim); memory O(heads * tokens) f32.
/// Checked  unit/tova_test.cpp, parity/compress (kvpress).
#include <ATen/ATen.h>

#include "kvcal/compress/scorer.hpp"
#include "window_scores.hpp"

namespace kvcal {
namespace {

constexpr int64_t kWindowTokens = 1;

struct Tova final : Scorer {
  struct Params {
    template <class Visitor>
    void visit(Visitor&) {}
  };

  explicit Tova(const Params&) {}

  Needs needs() const override {
    Needs needs;
    needs.window_tokens = kWindowTokens;
    needs.min_budget_tokens = kWindowTokens + 1;
    return needs;
  }

  at::Tensor score(const LayerView& view) const override {
    const auto past = window_mass(view, kWindowTokens).mean(0);  // [past]
    return with_protected_window(past.expand({view.kv_heads(), past.size(0)}), kWindowTokens);
  }
};

}  // namespace

extern constexpr ScorerInfo scorer_tova =
    describe_scorer<Tova>("tova", "tokens that the last prompt token attends to");

}  // namespace kvcal
