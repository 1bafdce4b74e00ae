// SPDX-License-Identifier: Apache-2.0
/// Pyramid: early layers keep more than late ones, on a straight line.
///
/// Source   arXiv:2406.02069 (PyramidKV); KVCache-Factory `PyramidKVCluster` (c97f9d7), CompressKV
///          `PyradmidKVCluster` (e8af510), kvpress `PyramidKVPress.get_layer_budget` (0.5.5).
/// Rule     w = window_tokens; b = budget_tokens - w, past = tokens - w;
///          min = floor(b / beta), max = 2 b - min; if max >= past: max = past, min = 2 b - max;
///          kept[l] = w + max - l (max - min) / (layers - 1), for every KV head.
///          exact: w is the most entries that the scorer protects in a KV head, where these are
///          fewer (PyramidKV's: its window); rounded to the nearest integers whose sum is the
///          budget; of equal remainders the earlier layer's is rounded up.
///          kvf: the slope itself is rounded down, so that late layers keep more and the sum is up
///          to layers (layers - 1) / 2 above; a prompt below 2 b tokens gets the budget everywhere.
///          compresskv: as kvf without the case of short prompts; with schedule_tokens the line is
///          the one of a prompt of so many tokens, as in their runs, which keep the line of the
///          first prompt ever seen.
///          kvpress: no window in the line (b = budget_tokens), half to even, the budget everywhere
///          where tokens >= max >= min >= window_tokens does not hold.
/// Differs  exact: from all three, in the sum, and in w where the scorer protects less than the
///          window; no special case of short prompts. The line is that of this prompt. kvpress
///          takes a real b, here it is an integer. No layer keeps fewer than its scores protect.
/// Checked  unit/pyramid_test.cpp, parity/compress (all three).
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "budget_split.hpp"

namespace kvcal {
namespace {

/// Entries of the first and of the last layer.
struct Line {
  int64_t max = 0, min = 0;
};

/// As Python's //: towards minus infinity.
int64_t floor_divide(int64_t a, int64_t b) {
  return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);
}

struct Pyramid final : Allocator {
  /// Of the authors' and KVCache-Factory's run_longbench.py.
  struct Params {
    double beta = 20;
    int64_t window_tokens = 8;
    std::string rule = "exact";
    int64_t schedule_tokens = 0;
    template <class Visitor>
    void visit(Visitor& v) {
      v.field("beta", beta, at_least(1), "the last layer keeps 1 / beta of the budget");
      v.field("window_tokens", window_tokens, at_least(1), "last tokens, kept in all layers");
      v.field("rule", rule, one_of({"exact", "kvf", "compresskv", "kvpress"}),
              "exact total, or the rounding of another code");
      v.field("schedule_tokens", schedule_tokens, at_least(0),
              "compresskv: prompt length of the schedule, 0 = this prompt's");
    }
  };

  explicit Pyramid(const Params& params) : params_(params) {
    require(params.schedule_tokens == 0 || params.rule == "compresskv", Kind::config,
            "schedule_tokens = {} with rule {}, need rule compresskv or 0", params.schedule_tokens,
            params.rule);
    require(params.schedule_tokens == 0 || params.schedule_tokens > params.window_tokens,
            Kind::config, "schedule_tokens = {}, need 0 or more than window_tokens = {}",
            params.schedule_tokens, params.window_tokens);
  }

  Needs needs() const override {
    Needs needs;
    if (!is_exact()) needs.min_budget_tokens = params_.window_tokens + 1;
    return needs;
  }

  bool is_exact() const override { return params_.rule == "exact"; }
  bool depends_on_prompt() const override { return true; }

  at::Tensor allocate(const AllocationRequest& request) const override {
    require_budget(request, needs().min_budget_tokens,
                   is_exact() ? "at least one entry" : "window_tokens + 1");
    const auto least = protected_by_layer(request);
    const auto kept = params_.rule == "exact"        ? exact(request, least)
                      : params_.rule == "kvf"        ? kvf(request)
                      : params_.rule == "compresskv" ? compresskv(request)
                                                     : kvpress(request);
    std::vector<int64_t> bounded;
    for (size_t l = 0; l < kept.size(); ++l) {
      bounded.push_back(std::max(least[l], std::min(kept[l], request.tokens)));
    }
    return for_all_kv_heads(bounded, request.kv_heads);
  }

 private:
  Line line(int64_t budget, int64_t past) const {
    Line line;
    line.min = static_cast<int64_t>(std::floor(static_cast<double>(budget) / params_.beta));
    line.max = 2 * budget - line.min;
    if (line.max >= past) line = {past, 2 * budget - past};
    return line;
  }

  std::vector<int64_t> exact(const AllocationRequest& request,
                             const std::vector<int64_t>& least) const {
    const int64_t window = entries_of_window(request, least, params_.window_tokens);
    require_budget(request, window + 1, "the window, or what the scores protect of it, + 1");
    const auto ends = line(request.budget_tokens - window, request.tokens - window);
    const int64_t steps = std::max<int64_t>(request.layers - 1, 1);
    std::vector<double> wanted;
    for (int64_t l = 0; l < request.layers; ++l) {
      const int64_t scaled = (window + ends.max) * steps - l * (ends.max - ends.min);
      wanted.push_back(static_cast<double>(scaled) / static_cast<double>(steps));
    }
    return round_to_total(wanted, least, request.tokens, request.budget_tokens * request.layers);
  }

  /// window + max - l * step; one layer alone has no slope.
  std::vector<int64_t> stepped(Line ends, int64_t layers) const {
    const int64_t step = layers == 1 ? 0 : floor_divide(ends.max - ends.min, layers - 1);
    std::vector<int64_t> kept;
    for (int64_t l = 0; l < layers; ++l)
      kept.push_back(params_.window_tokens + ends.max - l * step);
    return kept;
  }

  std::vector<int64_t> kvf(const AllocationRequest& request) const {
    const int64_t past_budget = request.budget_tokens - params_.window_tokens;
    if (request.tokens < 2 * past_budget) {
      return std::vector(static_cast<size_t>(request.layers), request.budget_tokens);
    }
    return stepped(line(past_budget, request.tokens - params_.window_tokens), request.layers);
  }

  std::vector<int64_t> compresskv(const AllocationRequest& request) const {
    const int64_t window = params_.window_tokens;
    const int64_t tokens = params_.schedule_tokens > 0 ? params_.schedule_tokens : request.tokens;
    return stepped(line(request.budget_tokens - window, tokens - window), request.layers);
  }

  std::vector<int64_t> kvpress(const AllocationRequest& request) const {
    const auto budget = static_cast<double>(request.budget_tokens);
    const auto tokens = static_cast<double>(request.tokens);
    const auto window = static_cast<double>(params_.window_tokens);
    double min = budget / params_.beta, max = 2 * budget - min;
    if (max >= tokens - window) {
      max = tokens - window;
      min = 2 * budget - max;
    }
    const bool has_line = tokens >= max && max >= min && min >= window;
    const double slope =
        request.layers == 1 ? 0 : (max - min) / static_cast<double>(request.layers - 1);
    std::vector<int64_t> kept;
    for (int64_t l = 0; l < request.layers; ++l) {
      const double wanted = has_line ? max - static_cast<double>(l) * slope : budget;
      kept.push_back(static_cast<int64_t>(std::nearbyint(wanted)));  // half to even, as Python
    }
    return kept;
  }

  Params params_;
};

}  // namespace

extern constexpr AllocatorInfo allocator_pyramid =
    describe_allocator<Pyramid>("pyramid", "more entries for early layers, on a straight line");

}  // namespace kvcal
