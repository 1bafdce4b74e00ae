// SPDX-License-Identifier: Apache-2.0
#include "support/random_layer.hpp"

#include <ATen/ATen.h>

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

LayerView random_layer(std::mt19937& random, const LayerShape& shape, const ProfileFacts* profile) {
  LayerView view;
  const int64_t heads = shape.kv_heads * shape.group;
  view.queries = normal(random, {heads, shape.window, shape.head_dim});
  view.keys = normal(random, {shape.kv_heads, shape.tokens, shape.head_dim});
  view.values = normal(random, {shape.kv_heads, shape.tokens, shape.head_dim});
  view.output_weight = normal(random, {heads * shape.head_dim, heads * shape.head_dim});
  view.profile = profile;
  view.seed = random();
  return view;
}

ProfileFacts plain_profile(int64_t layers, int64_t heads) {
  std::vector<int64_t> order(static_cast<size_t>(heads));
  std::iota(order.begin(), order.end(), int64_t{0});
  ProfileFacts profile;
  profile.semantic_ranking.emplace(static_cast<size_t>(layers), order);
  profile.layer_error.emplace(static_cast<size_t>(layers), 1.0 / static_cast<double>(layers));
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
