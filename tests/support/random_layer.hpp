// SPDX-License-Identifier: Apache-2.0
// Random inputs for contract suites: layers of random shape, ragged caches, seeded so that a
// failure can be repeated.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <random>

#include "kvcal/compress/allocator.hpp"
#include "kvcal/compress/layer_view.hpp"

namespace kvcal::test {

struct LayerShape {
  int64_t kv_heads = 2, group = 3, tokens = 64, head_dim = 16, window = 32;
};

/// Uniform in low .. high, both included.
int64_t pick(std::mt19937& random, int64_t low, int64_t high);

/// [sizes] standard normal f32, from `random` alone.
at::Tensor normal(std::mt19937& random, at::IntArrayRef sizes);

/// A layer of normal numbers with all statistics that a method may ask for; `profile` has to
/// outlive it.
LayerView random_layer(std::mt19937& random, const LayerShape& shape, const ProfileFacts* profile);

/// All facts that a method may ask for: every head of every layer in order 0, 1, .., every layer
/// equally important, head h with score h + 1, every other KV head retrieving, pruning shares that
/// rise with the KV head.
ProfileFacts plain_profile(int64_t layers, int64_t heads, int64_t kv_heads);

/// A request without scores and profile.
AllocationRequest request_of(int64_t layers, int64_t kv_heads, int64_t tokens,
                             int64_t budget_tokens);

}  // namespace kvcal::test
