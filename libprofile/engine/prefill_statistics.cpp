// SPDX-License-Identifier: Apache-2.0
#include "engine/prefill_statistics.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "kvcal/compress/error.hpp"
#include "kvcal/compress/kernels.hpp"
#include "kvcal/compress/parallel.hpp"

namespace kvcal {
namespace {

at::Tensor cloned(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.clone() : at::Tensor();
}

}  // namespace

PrefillStatistics::PrefillStatistics(int64_t layers, const Needs& needs)
    : needs_(needs), layers_(static_cast<size_t>(layers)) {}

bool PrefillStatistics::is_needed() const {
  return needs_.window_tokens > 0 || accumulates(needs_);
}

void PrefillStatistics::after_attention(const AttentionStep& step) {
  auto& layer = layers_[static_cast<size_t>(step.layer)];
  if (needs_.window_tokens > 0) add_window(step, layer);
  if (needs_.column_sums) add_columns(step, layer);
  if (needs_.query_moments) add_moments(step, layer);
  if (needs_.context_queries > 0) {
    layer.context.add(step.queries, step.position, needs_.context_queries);
  }
}

void PrefillStatistics::add_window(const AttentionStep& step, Layer& layer) const {
  const int64_t window = needs_.window_tokens;
  auto latest = step.queries;  // [heads, new, head_dim]
  if (latest.size(1) > window) latest = latest.narrow(1, latest.size(1) - window, window);
  // A copy, or the view would hold the whole chunk's queries.
  auto& kept = layer.window;
  kept = kept.defined() ? at::cat({kept, latest}, 1) : latest.clone();
  if (kept.size(1) > window) kept = kept.narrow(1, kept.size(1) - window, window).clone();
}

void PrefillStatistics::add_columns(const AttentionStep& step, Layer& layer) {
  require(step.cache.prefix.total_kept() == 0, Kind::internal,
          "column sums of layer {} over a cache with a prefix of {} entries, need the prompt alone",
          step.layer, step.cache.prefix.total_kept());
  auto sums = at::zeros({step.queries.size(0), step.cache.tail_tokens()},
                        step.queries.options().dtype(at::kFloat));  // [heads, seen]
  auto& before = layer.column_sums;
  if (before.defined()) sums.narrow(1, 0, before.size(1)).copy_(before);
  add_column_sums(step.queries, step.cache.tail_keys, step.scale, sums);
  before = sums;
}

void PrefillStatistics::add_moments(const AttentionStep& step, Layer& layer) {
  const auto& queries = step.queries_before_rope;  // [heads, new, head_dim]
  const int64_t heads = queries.size(0), fresh = queries.size(1), head_dim = queries.size(2);
  if (!layer.query_sum.defined()) {
    const auto options = queries.options().dtype(at::kDouble);
    layer.query_sum = at::zeros({heads, head_dim}, options);
    layer.query_products = at::zeros({heads, head_dim, head_dim}, options);
  }
  const int64_t skipped = std::clamp<int64_t>(kMomentsSkipTokens - step.position, 0, fresh);
  if (skipped == fresh) return;
  const auto add_head = [&](int64_t head) {
    const auto rows = queries[head].narrow(0, skipped, fresh - skipped).to(at::kDouble);
    layer.query_sum[head].add_(rows.sum(0));
    layer.query_products[head].addmm_(rows.t(), rows);
  };
  share_out(queries, heads, add_head);
  layer.query_count += fresh - skipped;
}

PrefillStatistics PrefillStatistics::clone() const {
  PrefillStatistics copy(*this);
  for (auto& layer : copy.layers_) {
    for (auto* tensor :
         {&layer.window, &layer.column_sums, &layer.query_sum, &layer.query_products}) {
      *tensor = cloned(*tensor);
    }
  }
  return copy;
}

std::vector<at::Tensor> PrefillStatistics::window_queries() const {
  std::vector<at::Tensor> queries;
  for (const auto& layer : layers_) queries.push_back(layer.window);
  return queries;
}

std::vector<LayerStatistics> PrefillStatistics::statistics() const {
  std::vector<LayerStatistics> statistics;
  for (const auto& layer : layers_) {
    auto& result = statistics.emplace_back();
    result.column_sums = layer.column_sums;
    result.context_queries = layer.context;
    if (!layer.query_sum.defined()) continue;
    // A prompt of the skipped tokens alone has moments of zero.
    const auto count = static_cast<double>(std::max<int64_t>(layer.query_count, 1));
    const auto mean = layer.query_sum / count;  // [heads, head_dim]
    const auto centred =
        layer.query_products / count - mean.unsqueeze(2) * mean.unsqueeze(1);  // f64
    result.query_mean = mean.to(at::kFloat);
    result.query_covariance = centred.to(at::kFloat);
  }
  return statistics;
}

}  // namespace kvcal
