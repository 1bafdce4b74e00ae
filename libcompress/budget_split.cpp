// SPDX-License-Identifier: Apache-2.0
#include "budget_split.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <queue>

namespace kvcal {

void require_budget(const AllocationRequest& request, int64_t least, std::string_view reason) {
  require(request.budget_tokens >= least && request.budget_tokens <= request.tokens, Kind::config,
          "budget_tokens = {}, need {} ({}) .. {} (prompt tokens)", request.budget_tokens, least,
          reason, request.tokens);
}

at::Tensor protected_entries(const AllocationRequest& request) {
  if (request.scores.empty()) return at::zeros({request.layers, request.kv_heads}, at::kLong);
  auto counts = count_protected(request.scores);  // [layers, kv_heads]
  const int64_t sum = counts.sum().item<int64_t>();
  require(sum <= request.total(), Kind::config,
          "the scores protect {} entries of all layers and KV heads, the budget is {}; need a "
          "larger budget or fewer protected tokens",
          sum, request.total());
  return counts;
}

std::vector<int64_t> protected_by_layer(const AllocationRequest& request) {
  return integers_of(protected_entries(request).amax(1));
}

int64_t entries_of_window(const AllocationRequest& request, const std::vector<int64_t>& by_layer,
                          int64_t window_tokens) {
  if (request.scores.empty()) return window_tokens;
  return std::min(window_tokens, *std::max_element(by_layer.begin(), by_layer.end()));
}

at::Tensor for_all_kv_heads(const std::vector<int64_t>& by_layer, int64_t kv_heads) {
  const auto column = at::tensor(by_layer, at::kLong).unsqueeze(1);  // [layers, 1]
  return column.expand({column.size(0), kv_heads}).contiguous();
}

std::vector<int64_t> integers_of(const at::Tensor& tensor) {
  const auto numbers = tensor.to(at::kCPU, at::kLong).contiguous();
  const auto* begin = numbers.const_data_ptr<int64_t>();
  return {begin, begin + numbers.numel()};
}

std::vector<double> reals_of(const at::Tensor& tensor) {
  const auto numbers = tensor.to(at::kCPU, at::kDouble).contiguous();
  const auto* begin = numbers.const_data_ptr<double>();
  return {begin, begin + numbers.numel()};
}

namespace {

constexpr double kOne = 1 << 20;  // one entry, in the units in which what is lacking is compared

struct Lack {
  int64_t amount;  // what a share lacks, or has too much, in units of 1 / kOne
  size_t index;
  bool operator<(const Lack& other) const {  // std::priority_queue pops the largest
    return amount != other.amount ? amount < other.amount : index > other.index;
  }
};

/// Moves `count` entries by `step` (+1 or -1), each to or from the share that is farthest off.
void settle(std::vector<int64_t>& shares, std::span<const double> wanted, int64_t count,
            int64_t step, const std::function<bool(size_t)>& can_move) {
  std::priority_queue<Lack> queue;
  for (size_t i = 0; i < shares.size(); ++i) {
    const double lack = static_cast<double>(step) * (wanted[i] - static_cast<double>(shares[i]));
    if (can_move(i)) queue.push({std::llround(lack * kOne), i});
  }
  for (; count > 0; --count) {
    require(!queue.empty(), Kind::config,
            "{} entries of the budget find no place within the limits of the KV heads", count);
    auto [amount, index] = queue.top();
    queue.pop();
    shares[index] += step;
    if (can_move(index)) queue.push({amount - static_cast<int64_t>(kOne), index});
  }
}

}  // namespace

std::vector<int64_t> round_to_total(std::span<const double> wanted, std::span<const int64_t> low,
                                    int64_t high, int64_t total) {
  std::vector<int64_t> shares;
  for (size_t i = 0; i < wanted.size(); ++i) {
    require(std::isfinite(wanted[i]), Kind::numeric, "the share {} of a budget is {}", i,
            wanted[i]);
    const double whole = std::min(std::floor(wanted[i]), static_cast<double>(high));
    shares.push_back(std::max(static_cast<int64_t>(whole), low[i]));
  }
  const int64_t missing = total - std::accumulate(shares.begin(), shares.end(), int64_t{0});
  if (missing > 0) settle(shares, wanted, missing, 1, [&](size_t i) { return shares[i] < high; });
  if (missing < 0) {
    settle(shares, wanted, -missing, -1, [&](size_t i) { return shares[i] > low[i]; });
  }
  return shares;
}

at::Tensor count_best(const at::Tensor& scores, const at::Tensor& least, int64_t total) {
  require(!at::isnan(scores).any().item<bool>(), Kind::numeric,
          "a score is NaN, need numbers to share a budget by them");
  if (total == 0) return at::zeros_like(least);
  auto sorted = std::get<0>(scores.sort(1, /*descending=*/true)).to(at::kCPU);  // [rows, tokens]
  const auto rank = at::arange(sorted.size(1), at::kLong);                      // [tokens]
  sorted.masked_fill_(rank.unsqueeze(0) < least.unsqueeze(1),
                      std::numeric_limits<double>::infinity());
  const auto cut = std::get<0>(at::topk(sorted.flatten(), total, 0, true, false)).min();
  auto counts = (sorted > cut).sum(1);         // [rows]
  const auto equals = (sorted == cut).sum(1);  // [rows]
  const int64_t left = total - counts.sum().item<int64_t>();
  // Rows are served in order: row i gets what the rows before it left over.
  const auto before = equals.cumsum(0) - equals;  // [rows]
  return counts + at::minimum(equals, (left - before).clamp_min(0));
}

}  // namespace kvcal
