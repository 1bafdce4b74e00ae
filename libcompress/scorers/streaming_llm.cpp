// SPDX-License-Identifier: Apache-2.0
/// StreamingLLM: keep the first tokens (attention sinks) and the most recent ones.
///
/// Source   arXiv:2309.17453; kvpress `presses/streaming_llm_press.py` (0.5.5).
/// Score    s[g, t] = t (exact in f32 below 2^24 tokens), so that a budget B keeps the first
///          sink_tokens and the last B - sink_tokens; the same for all layers and KV heads. With
///          rest = first s[g, t] = -t: the last recent_tokens and the first B - recent_tokens.
/// Keeps    the first sink_tokens and the last recent_tokens (+inf).
/// Differs  cached keys keep the phase of their original position, as in kvpress and
///          KVCache-Factory (the paper numbers positions inside the cache); a budget that leaves
///          no recent token is refused. rest = first is what CompressKV's baseline of this name
///          does; it is not StreamingLLM.
/// Cost     time and memory O(kv_heads * tokens).
/// Checked  unit/streaming_llm_test.cpp, parity/compress (kvpress, KVCache-Factory, CompressKV).
#include <ATen/ATen.h>

#include "kvcal/compress/scorer.hpp"
#include "protection.hpp"

namespace kvcal {
namespace {

struct StreamingLlm final : Scorer {
  struct Params {
    int64_t sink_tokens = 4;
    int64_t recent_tokens = 0;
    std::string rest = "recent";
    template <class Visitor>
    void visit(Visitor& v) {
      v.field("sink_tokens", sink_tokens, at_least(0), "first prompt tokens, always kept");
      v.field("recent_tokens", recent_tokens, at_least(0), "last prompt tokens, always kept");
      v.field("rest", rest, one_of({"recent", "first"}), "what fills the rest of the budget");
    }
  };

  explicit StreamingLlm(const Params& params) : params_(params) {}

  Needs needs() const override {
    Needs needs;
    needs.min_budget_tokens = params_.sink_tokens + params_.recent_tokens + 1;
    return needs;
  }

  at::Tensor score(const LayerView& view) const override {
    const int64_t tokens = view.tokens();
    auto row = at::arange(tokens, view.keys.options().dtype(at::kFloat));  // [tokens]
    if (params_.rest == "first") row.neg_();
    protect_first_(row, params_.sink_tokens);
    protect_last_(row, params_.recent_tokens);
    return row.expand({view.kv_heads(), tokens}).contiguous();  // [kv_heads, tokens]
  }

 private:
  Params params_;
};

}  // namespace

extern constexpr ScorerInfo scorer_streaming_llm =
    describe_scorer<StreamingLlm>("streaming_llm", "attention sinks and the most recent tokens");

}  // namespace kvcal
