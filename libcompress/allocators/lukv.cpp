// SPDX-License-Identifier: Apache-2.0
/// LU-KV: a table says how much of each KV head can be pruned at an overall share.
///
/// Source   arXiv:2602.08585; kvpress `presses/lukv_press.py` (0.5.5).
/// Rule     step = clamp(round_half_even((1 - budget_tokens / tokens) * (steps + 1)) - 1) of the
///          table, wanted[l, k] = (1 - table[step, l, k]) * tokens;
///          exact: wanted is scaled to the total and rounded to the nearest integers (largest
///          remainders), at most the prompt's tokens.
///          kvpress: in each layer round_half_even(sum of wanted) entries by largest remainders, at
///          least one for a KV head; what the table says is kept, whatever the budget.
/// Differs  exact: the table's sum is near the budget only as far as its steps of one percent and
///          its making allow, so it gives proportions here, and the budget the total.
///          No KV head keeps fewer than its scores protect.
/// Checked  unit/lukv_test.cpp, parity/compress (kvpress).
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "budget_split.hpp"

namespace kvcal {
namespace {

struct LuKv final : Allocator {
  struct Params {
    std::string rule = "exact";
    template <class Visitor>
    void visit(Visitor& v) {
      v.field("rule", rule, one_of({"exact", "kvpress"}), "exact total, or the table's own");
    }
  };

  explicit LuKv(const Params& params) : params_(params) {}

  Needs needs() const override {
    Needs needs;
    needs.prune_table = true;
    return needs;
  }

  bool is_exact() const override { return params_.rule == "exact"; }
  bool depends_on_prompt() const override { return true; }

  at::Tensor allocate(const AllocationRequest& request) const override {
    require_budget(request, 1, "at least one entry");
    const auto wanted = wanted_entries(request);           // [layers, kv_heads]
    const auto is_protected = protected_entries(request);  // [layers, kv_heads]
    if (params_.rule == "kvpress") return at::maximum(by_layer(request, wanted), is_protected);
    const double sum = wanted.sum().item<double>();
    require(sum > 0, Kind::config, "the prune table of the profile prunes everything");
    const auto scaled = reals_of(wanted * (static_cast<double>(request.total()) / sum));
    const auto kept =
        round_to_total(scaled, integers_of(is_protected), request.tokens, request.total());
    return at::tensor(kept, at::kLong).view({request.layers, request.kv_heads});
  }

 private:
  /// [layers, kv_heads] f64
  static at::Tensor wanted_entries(const AllocationRequest& request) {
    require(request.profile != nullptr && request.profile->prune_table.has_value() &&
                !request.profile->prune_table->empty(),
            Kind::config, "lukv needs the prune table of a profile");
    const auto& table = *request.profile->prune_table;
    const auto steps = static_cast<int64_t>(table.size());
    const auto tokens = static_cast<double>(request.tokens);
    const double pruned = 1 - static_cast<double>(request.budget_tokens) / tokens;
    const auto nearest =
        static_cast<int64_t>(std::nearbyint(pruned * static_cast<double>(steps + 1)));
    const auto& shares = table[static_cast<size_t>(std::clamp<int64_t>(nearest - 1, 0, steps - 1))];
    require(static_cast<int64_t>(shares.size()) == request.layers, Kind::config,
            "the prune table of the profile has {} layers, the model has {}", shares.size(),
            request.layers);
    std::vector<double> wanted;
    for (const auto& layer : shares) {
      require(static_cast<int64_t>(layer.size()) == request.kv_heads, Kind::config,
              "the prune table of the profile has {} KV heads, the model has {}", layer.size(),
              request.kv_heads);
      for (const double share : layer) {
        require(share >= 0 && share <= 1, Kind::config,
                "the prune table of the profile has a share of {}, need 0 .. 1", share);
        wanted.push_back((1 - share) * tokens);
      }
    }
    return at::tensor(wanted, at::kDouble).view({request.layers, request.kv_heads});
  }

  static at::Tensor by_layer(const AllocationRequest& request, const at::Tensor& wanted) {
    const std::vector<int64_t> least(static_cast<size_t>(request.kv_heads), 1);
    std::vector<int64_t> kept;
    for (int64_t l = 0; l < request.layers; ++l) {
      const auto row = reals_of(wanted[l]);
      const auto sum = static_cast<int64_t>(std::nearbyint(wanted[l].sum().item<double>()));
      const int64_t total = std::clamp(sum, request.kv_heads, request.kv_heads * request.tokens);
      const auto rounded = round_to_total(row, least, request.tokens, total);
      kept.insert(kept.end(), rounded.begin(), rounded.end());
    }
    return at::tensor(kept, at::kLong).view({request.layers, request.kv_heads});
  }

  Params params_;
};

}  // namespace

extern constexpr AllocatorInfo allocator_lukv =
    describe_allocator<LuKv>("lukv", "as a table of prunable shares says");

}  // namespace kvcal
