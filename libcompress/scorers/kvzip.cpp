// SPDX-License-Identifier: Apache-2.0
/// KVzip: keep the tokens that the model attends to while it repeats the prompt.
///
/// Source   arXiv:2505.23416; kvpress `presses/kvzip_press.py` (0.5.5).
/// Score    after the prefill the prompt is fed again, chunk by chunk (2,048 tokens), behind an
///          instruction to repeat it;
///          A = softmax(q k^T / sqrt(head_dim)) of all fed queries over [the first 4 tokens, the
///          chunk, the fed tokens, causal among themselves];
///          s[g, t] = max over heads h of group g and fed tokens i of A[h, i, t], t in the chunk.
///          The chat format's prefix is not re-read: 0.
/// Keeps    the first sink_tokens (+inf).
/// Differs  from kvpress: softmax in f32 (the model's dtype there); ties go to the earlier token;
///          a model without room for the prompt and a whole chunk re-reads shorter chunks.
/// Cost     of the replay: a second prefill, and per layer O(tokens * heads * chunk * head_dim)
///          more; of the score: O(kv_heads * tokens).
/// Checked  parity/compress (kvpress), the whole replay on a model included.
#include <ATen/ATen.h>

#include "kvcal/compress/error.hpp"
#include "kvcal/compress/scorer.hpp"
#include "protection.hpp"

namespace kvcal {
namespace {

struct Kvzip final : Scorer {
  struct Params {
    int64_t sink_tokens = 4;
    template <class Visitor>
    void visit(Visitor& v) {
      v.field("sink_tokens", sink_tokens, at_least(0), "first prompt tokens, always kept");
    }
  };

  explicit Kvzip(const Params& params) : params_(params) {}

  Needs needs() const override {
    Needs needs;
    needs.replay = true;
    needs.min_budget_tokens = params_.sink_tokens + 1;
    return needs;
  }

  at::Tensor score(const LayerView& view) const override {
    const auto& attention = view.statistics.replay_attention;  // [kv_heads, tokens]
    require(attention.defined() && attention.size(1) == view.tokens(), Kind::shape,
            "layer {} has no replay attention of its {} tokens", view.layer, view.tokens());
    auto scores = attention.clone();
    protect_first_(scores, params_.sink_tokens);
    return scores;
  }

 private:
  Params params_;
};

}  // namespace

extern constexpr ScorerInfo scorer_kvzip =
    describe_scorer<Kvzip>("kvzip", "tokens that the model attends to while it repeats the prompt");

}  // namespace kvcal
