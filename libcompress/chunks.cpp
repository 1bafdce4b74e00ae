// SPDX-License-Identifier: Apache-2.0
#include "kvcal/compress/chunks.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "kvcal/compress/error.hpp"

namespace kvcal {
namespace {

/// Rows that KV head k owns.
at::Tensor rows_of(const at::Tensor& tensor, const at::Tensor& offsets, int64_t k) {
  const int64_t* bounds = offsets.const_data_ptr<int64_t>();
  return tensor.narrow(0, bounds[k], bounds[k + 1] - bounds[k]);
}

/// [total] f32: zeros where the layer has no bias.
at::Tensor bias_of(const CompactLayer& layer) {
  if (layer.bias.defined()) return layer.bias;
  return at::zeros({layer.total_kept()}, layer.keys.options().dtype(at::kFloat));
}

}  // namespace

bool can_be_chunked(const Needs& needs) {
  return needs.window_tokens == 0 && !needs.column_sums && !needs.query_moments && !needs.replay &&
         !needs.replay_weighted;
}

LayerView slice(const LayerView& view, int64_t first, int64_t count) {
  LayerView part = view;
  part.keys = view.keys.narrow(1, first, count);
  part.values = view.values.narrow(1, first, count);
  if (view.bias.defined()) part.bias = view.bias.narrow(1, first, count);
  part.queries = view.queries.narrow(1, 0, 0);
  part.statistics = LayerStatistics();
  part.statistics.context_queries = view.statistics.context_queries;
  part.statistics.repeat_queries = view.statistics.repeat_queries;
  part.statistics.study_queries = view.statistics.study_queries;
  return part;
}

LayerView without_first(const LayerView& view, int64_t count) {
  const auto rest = [&](const at::Tensor& tensor, int64_t axis) {
    return tensor.defined() ? tensor.narrow(axis, count, tensor.size(axis) - count) : tensor;
  };
  LayerView part = view;
  part.keys = rest(view.keys, 1);
  part.values = rest(view.values, 1);
  part.bias = rest(view.bias, 1);
  part.sentences = rest(view.sentences, 0);
  auto& statistics = part.statistics;
  for (auto* tensor :
       {&statistics.column_sums, &statistics.replay_attention, &statistics.replay_weighted}) {
    *tensor = rest(*tensor, 1);
  }
  const int64_t window = std::min(view.queries.size(1), part.tokens());
  part.queries = view.queries.narrow(1, view.queries.size(1) - window, window);
  return part;
}

KeepSet keep_all(int64_t kv_heads, int64_t tokens) {
  const auto rows = at::arange(tokens, at::kLong).expand({kv_heads, tokens});
  return {rows.flatten(), at::arange(kv_heads + 1, at::kLong) * tokens};
}

CompactLayer concatenate(std::span<const CompactLayer> layers) {
  require(!layers.empty(), Kind::internal, "no layer to put together, need at least one");
  const bool has_bias = std::any_of(layers.begin(), layers.end(),
                                    [](const CompactLayer& layer) { return layer.bias.defined(); });
  const int64_t kv_heads = layers.front().offsets.size(0) - 1;
  std::vector<at::Tensor> keys, values, biases;
  auto counts = at::zeros({kv_heads}, at::kLong);
  std::vector<CompactLayer> parts;
  for (const auto& layer : layers) parts.push_back(layer.with_own_entries());
  for (int64_t k = 0; k < kv_heads; ++k) {
    for (const auto& layer : parts) {
      keys.push_back(rows_of(layer.keys, layer.offsets, k));
      values.push_back(rows_of(layer.values, layer.offsets, k));
      if (has_bias) biases.push_back(rows_of(bias_of(layer), layer.offsets, k));
      counts[k] += keys.back().size(0);
    }
  }
  return {at::cat(keys), at::cat(values), has_bias ? at::cat(biases) : at::Tensor(),
          at::cat({at::zeros({1}, at::kLong), counts.cumsum(0)})};
}

KeepSet concatenate(std::span<const KeepSet> parts, std::span<const int64_t> starts) {
  require(!parts.empty() && parts.size() == starts.size(), Kind::internal,
          "{} keep sets with {} starts, need as many and at least one", parts.size(),
          starts.size());
  const int64_t kv_heads = parts.front().kv_heads();
  std::vector<at::Tensor> indices;
  auto counts = at::zeros({kv_heads}, at::kLong);
  for (int64_t k = 0; k < kv_heads; ++k) {
    for (size_t i = 0; i < parts.size(); ++i) {
      indices.push_back(parts[i].of_head(k) + starts[i]);
      counts[k] += indices.back().size(0);
    }
  }
  return {at::cat(indices), at::cat({at::zeros({1}, at::kLong), counts.cumsum(0)})};
}

LayerView view_of(const CacheLayer& layer) {
  const auto prefix = layer.prefix.with_own_entries();
  const int64_t kv_heads = layer.kv_heads(), tail = layer.tail_tokens();
  const int64_t longest = prefix.offsets.diff().max().item<int64_t>();
  LayerView view;
  const auto sizes = std::vector<int64_t>{kv_heads, longest + tail, layer.tail_keys.size(2)};
  view.keys = at::zeros(sizes, layer.tail_keys.options());
  view.values = at::zeros(sizes, layer.tail_values.options());
  view.bias = at::full({kv_heads, longest + tail}, -std::numeric_limits<double>::infinity(),
                       layer.tail_keys.options().dtype(at::kFloat));
  view.queries = at::empty({kv_heads, 0, sizes[2]}, layer.tail_keys.options());
  for (int64_t k = 0; k < kv_heads; ++k) {
    const auto keys = rows_of(prefix.keys, prefix.offsets, k);  // [kept, head_dim]
    const int64_t kept = keys.size(0);
    view.keys[k].narrow(0, 0, kept).copy_(keys);
    view.values[k].narrow(0, 0, kept).copy_(rows_of(prefix.values, prefix.offsets, k));
    view.bias[k].narrow(0, 0, kept).copy_(rows_of(bias_of(prefix), prefix.offsets, k));
    view.keys[k].narrow(0, kept, tail).copy_(layer.tail_keys[k]);
    view.values[k].narrow(0, kept, tail).copy_(layer.tail_values[k]);
    view.bias[k].narrow(0, kept, tail).zero_();
  }
  return view;
}

}  // namespace kvcal
