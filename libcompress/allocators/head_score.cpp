// SPDX-License-Identifier: Apache-2.0
/// Head score: KV heads whose query heads retrieve more keep more.
///
/// Source   arXiv:2410.19258 (HeadKV); KVCache-Factory `run_longbench.py`, `HeadKVCluster`
///          (c97f9d7).
/// Rule     share[l, h] = head_scores[l, h] / sum of all;
///          x = floor(b / head_beta); cap[l, h] = share[l, h] * x * layers * heads + b - x;
///          kept[l, k] = mean of cap over the heads of KV head k.
///          exact: p[l, k] = entries that the scorer protects (HeadKV's: its window); b =
///          budget_tokens - their mean, rounded up; caps stay real, kept + p is rounded to the
///          nearest integers whose sum is the budget, at most the prompt's tokens.
///          kvf: b = budget_tokens and the window comes on top; caps and their means are rounded
///          half to even; what a short prompt cannot fill is lost.
/// Differs  exact: from KVCache-Factory as said under Rule. The scores are the profile's: semantic
///          ones (srh-identify) or those of an imported file.
/// Checked  unit/head_score_test.cpp, parity/compress (KVCache-Factory).
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "budget_split.hpp"

namespace kvcal {
namespace {

using HeadScores = std::vector<std::vector<double>>;  // [layers][heads]

struct HeadScore final : Allocator {
  /// Of KVCache-Factory's run_longbench.py.
  struct Params {
    int64_t window_tokens = 8;
    double head_beta = 1.01;
    std::string rule = "exact";
    template <class Visitor>
    void visit(Visitor& v) {
      v.field("window_tokens", window_tokens, at_least(1),
              "last tokens, kept by every KV head; of the rule kvf");
      v.field("head_beta", head_beta, at_least(1),
              "1 / head_beta of the budget follows the scores");
      v.field("rule", rule, one_of({"exact", "kvf"}), "exact total, or KVCache-Factory's rounding");
    }
  };

  explicit HeadScore(const Params& params) : params_(params) {}

  Needs needs() const override {
    Needs needs;
    needs.head_scores = true;
    if (params_.rule == "kvf") needs.min_budget_tokens = params_.window_tokens + 1;
    return needs;
  }

  bool is_exact() const override { return params_.rule == "exact"; }

  at::Tensor allocate(const AllocationRequest& request) const override {
    require_budget(request, 1, "at least one entry");
    const auto& scores = scores_of(request);
    const auto is_protected = protected_entries(request);  // [layers, kv_heads]
    if (params_.rule == "kvf") return add_window(request, scores, is_protected);

    const auto mean = is_protected.to(at::kDouble).mean().ceil().item<double>();
    const auto spare = request.budget_tokens - static_cast<int64_t>(mean);
    const auto caps = means_of_groups(caps_of(scores, spare, false), request.kv_heads);
    const auto kept = round_to_total(reals_of(caps + is_protected), integers_of(is_protected),
                                     request.tokens, request.total());
    return at::tensor(kept, at::kLong).view({request.layers, request.kv_heads});
  }

 private:
  at::Tensor add_window(const AllocationRequest& request, const HeadScores& scores,
                        const at::Tensor& is_protected) const {
    require_budget(request, params_.window_tokens + 1, "window_tokens + 1");
    const auto caps = means_of_groups(caps_of(scores, request.budget_tokens, /*rounds=*/true),
                                      request.kv_heads);  // [layers, kv_heads]
    const auto kept = at::round(caps).to(at::kLong) + params_.window_tokens;
    return at::maximum(kept.clamp_max(request.tokens), is_protected);
  }

  static const HeadScores& scores_of(const AllocationRequest& request) {
    require(request.profile != nullptr && request.profile->head_scores.has_value(), Kind::config,
            "head_score needs the head scores of a profile: run srh-identify");
    const auto& scores = *request.profile->head_scores;
    require(static_cast<int64_t>(scores.size()) == request.layers, Kind::config,
            "the profile has head scores of {} layers, the model has {}", scores.size(),
            request.layers);
    for (const auto& layer : scores) {
      require(!layer.empty() && layer.size() == scores[0].size() &&
                  static_cast<int64_t>(layer.size()) % request.kv_heads == 0,
              Kind::config, "the profile has scores of {} heads in a layer, need a multiple of {}",
              layer.size(), request.kv_heads);
    }
    return scores;
  }

  /// [layers, heads] f64: entries of each query head, the window left out.
  at::Tensor caps_of(const HeadScores& scores, int64_t budget, bool rounds) const {
    double sum = 0;
    bool has_negative = false;
    std::vector<double> flat;
    for (const auto& layer : scores) {
      sum = std::accumulate(layer.begin(), layer.end(), sum);
      has_negative |= std::any_of(layer.begin(), layer.end(), [](double s) { return s < 0; });
      flat.insert(flat.end(), layer.begin(), layer.end());
    }
    require(sum > 0 && !has_negative, Kind::config,
            "head scores of the profile sum to {}, need values >= 0 with a sum > 0", sum);
    const double shared = std::floor(static_cast<double>(budget) / params_.head_beta);
    const double pool = shared * static_cast<double>(flat.size());
    for (double& score : flat) {
      score = score / sum * pool + (static_cast<double>(budget) - shared);
      if (rounds) score = std::nearbyint(score);  // half to even, as Python's round
    }
    const auto layers = static_cast<int64_t>(scores.size());
    return at::tensor(flat, at::kDouble).view({layers, -1});
  }

  /// [layers, heads] -> [layers, kv_heads]
  static at::Tensor means_of_groups(const at::Tensor& caps, int64_t kv_heads) {
    return caps.view({caps.size(0), kv_heads, -1}).mean(2);
  }

  Params params_;
};

}  // namespace

extern constexpr AllocatorInfo allocator_head_score = describe_allocator<HeadScore>(
    "head_score", "more entries for KV heads whose query heads retrieve");

}  // namespace kvcal
