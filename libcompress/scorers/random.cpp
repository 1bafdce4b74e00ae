// SPDX-License-Identifier: Apache-2.0
/// Random: the control that every method has to beat.
///
/// Source   none; the idea of kvpress `presses/random_press.py` (0.5.5).
/// Score    s[g, t] = uniform in [0, 1), a hash of (seed, layer, KV head, token): counter-based, so
///          that it depends neither on order nor on device.
/// Keeps    the first sink_tokens and the last window_tokens (+inf): those of the method that it
///          is the control of.
/// Differs  from kvpress: layers and KV heads draw independently, and there are protected tokens.
/// Cost     time and memory O(kv_heads * tokens).
/// Checked  unit/random_test.cpp (seeds, protection, uniformity).
#include <ATen/ATen.h>

#include "kvcal/compress/scorer.hpp"
#include "mixed_bits.hpp"
#include "protection.hpp"

namespace kvcal {
namespace {

/// 24 bits: all that a f32 in [0, 1) holds evenly.
float uniform(uint64_t bits) {
  return static_cast<float>(bits >> 40) * 0x1p-24F;
}

struct Random final : Scorer {
  struct Params {
    int64_t sink_tokens = 0;
    int64_t window_tokens = 8;
    template <class Visitor>
    void visit(Visitor& v) {
      v.field("sink_tokens", sink_tokens, at_least(0), "first prompt tokens, always kept");
      v.field("window_tokens", window_tokens, at_least(0), "last prompt tokens, always kept");
    }
  };

  explicit Random(const Params& params) : params_(params) {}

  Needs needs() const override {
    Needs needs;
    needs.min_budget_tokens = params_.sink_tokens + params_.window_tokens + 1;
    return needs;
  }

  at::Tensor score(const LayerView& view) const override {
    const int64_t tokens = view.tokens();
    auto scores = at::empty({view.kv_heads(), tokens}, at::kFloat);  // [kv_heads, tokens]
    const uint64_t layer_seed = mixed(mixed(view.seed) ^ static_cast<uint64_t>(view.layer));
    for (int64_t k = 0; k < view.kv_heads(); ++k) {
      float* row = scores.mutable_data_ptr<float>() + k * tokens;
      const uint64_t head_seed = mixed(layer_seed ^ static_cast<uint64_t>(k));
      for (int64_t t = 0; t < tokens; ++t)
        row[t] = uniform(mixed(head_seed ^ static_cast<uint64_t>(t)));
    }
    protect_first_(scores, params_.sink_tokens);
    protect_last_(scores, params_.window_tokens);
    return scores.to(view.keys.device());
  }

 private:
  Params params_;
};

}  // namespace

extern constexpr ScorerInfo scorer_random =
    describe_scorer<Random>("random", "random tokens and the last ones: the control");

}  // namespace kvcal
