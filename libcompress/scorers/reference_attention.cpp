// SPDX-License-Identifier: Apache-2.0
/// Reference attention: tokens that the reference queries attend to most.
///
/// Source   arXiv:2602.16284 (Attention Matching), HighestAttnKeys; the authors'
///          `compaction/algorithms/highest_attention_keys.py` (2e59cc8).
/// Score    A = softmax(q k^T / sqrt(head_dim) + bias) in f32 over the unprotected tokens, without
///          a causal mask, of the drawn queries of all heads of a KV head;
///          s[g, t] = rms, maximum or mean over these rows of A[., t], max-pooled along tokens.
/// Keeps    the first sink_tokens and the last recent_tokens (+inf), which the softmax leaves out.
/// Differs  none. The authors protect what is around the article; here that is a number of tokens.
/// Cost     time O(rows * tokens * head_dim) a KV head; memory O(block * tokens) f32.
/// Checked  unit/attention_matching_test.cpp, parity/compress (the authors' code).
#include "matching/reference_attention.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>

#include "kvcal/compress/scorer.hpp"
#include "window_scores.hpp"

namespace kvcal {
namespace {

struct ReferenceAttentionScorer final : Scorer {
  struct Params {
    ReferenceParams reference;
    std::string reduction = "rms";
    int64_t pool_kernel = 1;
    int64_t sink_tokens = 4;
    int64_t recent_tokens = 0;
    template <class Visitor>
    void visit(Visitor& v) {
      reference.visit(v);
      v.field("reduction", reduction, one_of({"rms", "max", "mean"}), "over the reference queries");
      v.field("pool_kernel", pool_kernel, at_least(1), "odd number of tokens, max-pooled");
      v.field("sink_tokens", sink_tokens, at_least(0), "first tokens, always kept as they are");
      v.field("recent_tokens", recent_tokens, at_least(0), "last tokens, always kept as they are");
    }
  };

  explicit ReferenceAttentionScorer(const Params& params) : params_(params) {
    require_odd_kernel(params.pool_kernel);
  }

  Needs needs() const override {
    Needs needs = params_.reference.needs();
    needs.min_budget_tokens = params_.sink_tokens + params_.recent_tokens + 1;
    return needs;
  }

  at::Tensor score(const LayerView& view) const override {
    const int64_t tokens = view.tokens();
    const auto is_protected = protected_tokens(view).expand({view.kv_heads(), tokens});
    const ReferenceAttention attention(view, params_.reference.queries_of(view), is_protected);
    auto scores = at::zeros({view.kv_heads(), tokens}, attention.keys.options());
    for_row_blocks(attention, [&](int64_t, const at::Tensor& logits) {
      add_rows(at::softmax(logits, 2), scores);
    });
    if (params_.reduction != "max") scores.div_(attention.rows());
    if (params_.reduction == "rms") scores.sqrt_();
    scores = pool_tokens(scores, "max", params_.pool_kernel);
    // Where everything is protected the softmax is over nothing.
    return scores.masked_fill(is_protected, std::numeric_limits<double>::infinity());
  }

 private:
  /// [1, tokens] bool
  at::Tensor protected_tokens(const LayerView& view) const {
    const int64_t tokens = view.tokens();
    auto is_protected = at::zeros({1, tokens}, view.keys.options().dtype(at::kBool));
    const int64_t sinks = std::min(params_.sink_tokens, tokens);
    const int64_t recent = std::min(params_.recent_tokens, tokens);
    is_protected.narrow(1, 0, sinks).fill_(true);
    is_protected.narrow(1, tokens - recent, recent).fill_(true);
    return is_protected;
  }

  /// @param attention  [kv_heads, rows, tokens]
  void add_rows(const at::Tensor& attention, at::Tensor& scores) const {
    if (params_.reduction == "max") {
      at::maximum_out(scores, scores, std::get<0>(attention.max(1)));
    } else {
      scores.add_((params_.reduction == "rms" ? attention.square() : attention).sum(1));
    }
  }

  Params params_;
};

}  // namespace

extern constexpr ScorerInfo scorer_reference_attention = describe_scorer<ReferenceAttentionScorer>(
    "reference_attention", "tokens that reference queries attend to most");

}  // namespace kvcal
