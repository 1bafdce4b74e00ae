// SPDX-License-Identifier: Apache-2.0
/// CAKE: layers whose window attention is spread out and shifting keep more.
///
/// Source   arXiv:2503.12491; CompressKV's copy `methods/cakekv` (e8af510): `modify_llama.py`,
///          `utils.py` adjust_budgets.
/// Rule     A[H, W, past] = softmax of the window queries over all tokens, window columns dropped;
///          entropy e = - sum of A ln(A + 1e-10); shift v = sum over heads and tokens of the
///          variance of A over the window rows (unbiased);
///          preference p[l] = e^(1/tau1) * v^(1/tau2); w = window_tokens, or the most entries that
///          the scorer protects in a KV head, where these are fewer (CAKE's: its window);
///          b[l] = floor(p[l] / sum(p) * (budget_tokens - w) * layers); what a layer has beyond its
///          past tokens, then what is missing to the total, is spread evenly over the layers below
///          their past tokens. kept[l] = b[l] + w, for every KV head.
/// Differs  w, where the scorer protects less than the window. One allocation after the whole
///          prefill; theirs allocates again after every layer and prunes what it kept before (for
///          peak memory), which loses a few entries. Entries that the even spread lays beyond the
///          past tokens go to other layers (theirs loses them), so the total is exact. A prompt of
///          up to budget_tokens + window_tokens is cut too.
/// Cost     time O(heads * window * tokens * head_dim); memory O(group * window * tokens) f32.
/// Checked  unit/cake_allocator_test.cpp, parity/compress (CompressKV).
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "budget_split.hpp"
#include "window_scores.hpp"

namespace kvcal {
namespace {

/// Adds `excess` evenly to the budgets below `limit`, remainders to the first.
void spread(std::vector<int64_t>& budgets, int64_t excess, int64_t limit) {
  std::vector<size_t> open;
  for (size_t l = 0; l < budgets.size(); ++l) {
    if (budgets[l] < limit) open.push_back(l);
  }
  const auto count = static_cast<int64_t>(open.size());
  for (int64_t i = 0; i < count; ++i) {
    budgets[open[static_cast<size_t>(i)]] += excess / count + (i < excess % count ? 1 : 0);
  }
}

struct Cake final : Allocator {
  /// CompressKV scripts/run_longbench.sh: Llama-3.1-8B at budgets up to 256.
  struct Params {
    int64_t window_tokens = 8;
    double tau1 = 1.6;
    double tau2 = 0.6;
    template <class Visitor>
    void visit(Visitor& v) {
      v.field(
          "window_tokens", window_tokens, at_least(2),
          "last prompt tokens: their attention is looked at, and they are kept where the scorer "
          "does");
      v.field("tau1", tau1, between(0.01, 100), "the larger, the less the entropy counts");
      v.field("tau2", tau2, between(0.01, 100), "the larger, the less the shift counts");
    }
  };

  explicit Cake(const Params& params) : params_(params) {}

  Needs needs() const override {
    Needs needs;
    needs.window_tokens = params_.window_tokens;
    return needs;
  }

  bool depends_on_prompt() const override { return true; }

  /// @return  [2] f64 on the CPU: entropy and shift
  at::Tensor measure(const LayerView& view) const override {
    const int64_t window = params_.window_tokens, group = view.heads() / view.kv_heads();
    require(view.tokens() > window, Kind::shape,
            "window_tokens = {}, but layer {} has {} tokens, none before the window", window,
            view.layer, view.tokens());
    double entropy = 0, shift = 0;
    for (int64_t k = 0; k < view.kv_heads(); ++k) {
      const auto attention = window_rows(view, window, k * group, group)
                                 .narrow(2, 0, view.tokens() - window);  // [group, window, past]
      entropy -= (attention * (attention + 1e-10).log()).sum(at::kDouble).item<double>();
      shift += attention.var(/*dim=*/1, /*unbiased=*/true).sum(at::kDouble).item<double>();
    }
    return at::tensor({entropy, shift}, at::kDouble);
  }

  at::Tensor allocate(const AllocationRequest& request) const override {
    require_budget(request, 1, "at least one entry");
    std::vector<int64_t> least = protected_by_layer(request);
    const int64_t window = entries_of_window(request, least, params_.window_tokens);
    require_budget(request, window + 1, "the window, or what the scores protect of it, + 1");
    const int64_t past = request.tokens - window;
    const int64_t total = (request.budget_tokens - window) * request.layers;
    const auto budgets = spread_budgets(preferences(request), total, past);
    // Within the limits this changes nothing.
    for (int64_t& entries : least) entries = std::max<int64_t>(entries - window, 0);
    const std::vector<double> wanted(budgets.begin(), budgets.end());
    auto kept = round_to_total(wanted, least, past, total);
    for (int64_t& entries : kept) entries += window;
    return for_all_kv_heads(kept, request.kv_heads);
  }

 private:
  std::vector<double> preferences(const AllocationRequest& request) const {
    require(static_cast<int64_t>(request.measures.size()) == request.layers, Kind::internal,
            "cake has measures of {} layers, need {}", request.measures.size(), request.layers);
    std::vector<double> preferences;
    for (const auto& measure : request.measures) {
      const auto found = reals_of(measure);  // entropy, shift
      preferences.push_back(std::pow(std::max(found[0], 0.0), 1 / params_.tau1) *
                            std::pow(found[1], 1 / params_.tau2));
    }
    return preferences;
  }

  static std::vector<int64_t> spread_budgets(const std::vector<double>& preferences, int64_t total,
                                             int64_t past) {
    const double sum = std::accumulate(preferences.begin(), preferences.end(), 0.0);
    const double even = 1.0 / static_cast<double>(preferences.size());
    std::vector<int64_t> budgets;
    int64_t excess = 0;
    for (const double preference : preferences) {
      const double share = sum > 0 ? preference / sum : even;  // no attention before the window
      const auto wanted = static_cast<int64_t>(share * static_cast<double>(total));
      excess += std::max<int64_t>(wanted - past, 0);
      budgets.push_back(std::min(wanted, past));
    }
    spread(budgets, excess, past);
    spread(budgets, total - std::accumulate(budgets.begin(), budgets.end(), int64_t{0}), past);
    return budgets;
  }

  Params params_;
};

}  // namespace

extern constexpr AllocatorInfo allocator_cake = describe_allocator<Cake>(
    "cake", "more entries for layers whose attention is spread out and shifting");

}  // namespace kvcal
