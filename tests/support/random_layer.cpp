// SPDX-License-Identifier: Apache-2.0
#include "support/random_layer.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <numeric>

namespace kvcal::test {

int64_t pick(std::mt19937& random, int64_t low, int64_t high) {
  return low + static_cast<int64_t>(random() % static_cast<uint64_t>(high - low + 1));
}

at::Tensor normal(std::mt19937& random, at::IntArrayRef sizes) {
  auto tensor = at::empty(sizes, at::kFloat);
  std::normal_distribution<float> distribution;
  float* numbers = tensor.mutable_data_ptr<float>();
  for (int64_t i = 0; i < tensor.numel(); ++i) numbers[i] = distribution(random);
  return tensor;
}

namespace {

/// [rows, columns] f32, each row positive with sum 1.
at::Tensor shares(std::mt19937& random, int64_t rows, int64_t columns) {
  return at::softmax(normal(random, {rows, columns}), 1);
}

LayerStatistics random_statistics(std::mt19937& random, const LayerShape& shape) {
  const int64_t heads = shape.kv_heads * shape.group, dim = shape.head_dim;
  LayerStatistics statistics;
  statistics.column_sums = shares(random, heads, shape.tokens) * shape.tokens;
  statistics.query_mean = normal(random, {heads, dim});
  const auto factor = normal(random, {heads, dim, dim}) / std::sqrt(static_cast<double>(dim));
  statistics.query_covariance = at::matmul(factor, factor.transpose(1, 2));
  statistics.replay_attention = shares(random, shape.kv_heads, shape.tokens);
  statistics.replay_weighted = shares(random, heads, shape.tokens);
  for (auto* references :
       {&statistics.context_queries, &statistics.repeat_queries, &statistics.study_queries}) {
    references->add(normal(random, {heads, 24, dim}), 0, 24);
  }
  return statistics;
}

}  // namespace

LayerView random_layer(std::mt19937& random, const LayerShape& shape, const ProfileFacts* profile) {
  LayerView view;
  const int64_t heads = shape.kv_heads * shape.group;
  view.queries = normal(random, {heads, shape.window, shape.head_dim});
  view.keys = normal(random, {shape.kv_heads, shape.tokens, shape.head_dim});
  view.values = normal(random, {shape.kv_heads, shape.tokens, shape.head_dim});
  view.output_weight = normal(random, {heads * shape.head_dim, heads * shape.head_dim});
  view.rope_frequencies =
      at::pow(10000.0, -at::arange(0, shape.head_dim / 2, at::kFloat) * 2 / shape.head_dim);
  view.statistics = random_statistics(random, shape);
  view.sentences = at::arange(shape.tokens, at::kLong).div(7, "floor");
  view.profile = profile;
  view.seed = random();
  return view;
}

ProfileFacts plain_profile(int64_t layers, int64_t heads, int64_t kv_heads) {
  const auto per_layer = static_cast<size_t>(layers);
  std::vector<int64_t> order(static_cast<size_t>(heads));
  std::iota(order.begin(), order.end(), int64_t{0});
  ProfileFacts profile;
  profile.semantic_ranking.emplace(per_layer, order);
  profile.layer_error.emplace(per_layer, 1.0 / static_cast<double>(layers));
  profile.head_scores.emplace(per_layer, std::vector<double>(order.begin(), order.end()));
  for (auto& layer : *profile.head_scores) {
    for (double& score : layer) ++score;
  }
  for (const char* kind : {"semantic", "traditional", "window"}) {
    profile.head_kinds[kind] = *profile.head_scores;
  }
  std::vector<double> retrieval, pruned;
  for (int64_t k = 0; k < kv_heads; ++k) {
    retrieval.push_back(static_cast<double>(k % 2));
    pruned.push_back((static_cast<double>(k) + 0.5) / static_cast<double>(kv_heads));
  }
  profile.layer_error_curves =
      ErrorCurves{{16, 64, 256}, std::vector(per_layer, std::vector<double>{0.9, 0.3, 0.1})};
  const std::vector<double> points{0.05, 0.2, 1}, losses{1, 0.3, 0};
  profile.layer_costs = CostCurves{points, std::vector(per_layer, losses)};
  profile.kv_head_costs =
      CostCurves{points, std::vector(per_layer * static_cast<size_t>(kv_heads), losses)};
  profile.kv_head_influence =
      InfluenceCurves{points, std::vector(per_layer * static_cast<size_t>(kv_heads), losses)};
  profile.streaming_pattern = {std::vector(per_layer, retrieval), 2, 4};
  std::vector<double> shares;  // rise with the KV head too
  const auto all = static_cast<double>(kv_heads * (kv_heads + 1) / 2 * layers);
  for (int64_t k = 0; k < kv_heads; ++k) shares.push_back(static_cast<double>(k + 1) / all);
  profile.kv_head_shares.emplace(per_layer, shares);
  profile.prune_table.emplace(99, std::vector(per_layer, pruned));
  return profile;
}

AllocationRequest request_of(int64_t layers, int64_t kv_heads, int64_t tokens,
                             int64_t budget_tokens) {
  AllocationRequest request;
  request.layers = layers;
  request.kv_heads = kv_heads;
  request.tokens = tokens;
  request.budget_tokens = budget_tokens;
  return request;
}

}  // namespace kvcal::test
