// SPDX-License-Identifier: Apache-2.0
// The CUDA kernel against the CPU kernel, where there is a device.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kvcal/compress/error.hpp"
#include "kvcal/compress/kernels.hpp"
#include "support/random_layer.hpp"

namespace kvcal {
namespace {

CacheLayer on(const at::Device& device, const CacheLayer& cache) {
  const auto move = [&](const at::Tensor& tensor) { return tensor.to(device); };
  const auto& prefix = cache.prefix;
  return {{move(prefix.keys), move(prefix.values), move(prefix.bias), prefix.offsets,
           prefix.rows.defined() ? move(prefix.rows) : prefix.rows},
          move(cache.tail_keys),
          move(cache.tail_values)};
}

TEST(RaggedAttentionGpu, AgreesWithTheCpuKernel) {
  if (!at::hasCUDA()) GTEST_SKIP() << "no CUDA device, or LibTorch without CUDA";
  std::mt19937 random(8);
  for (const auto dtype : {at::kFloat, at::kBFloat16, at::kHalf}) {
    const auto numbers = [&](at::IntArrayRef sizes) {
      return test::normal(random, sizes).to(dtype);
    };
    CacheLayer cache;
    cache.prefix = {numbers({70, 80}), numbers({70, 80}), test::normal(random, {70}),
                    at::tensor({int64_t{0}, int64_t{65}, int64_t{65}, int64_t{70}})};
    cache.tail_keys = numbers({3, 9, 80});
    cache.tail_values = numbers({3, 9, 80});
    const auto queries = numbers({6, 4, 80});
    const double tolerance = dtype == at::kFloat ? 1e-5 : 2e-2;  // one rounding of the output
    for (const bool is_referred : {false, true}) {
      if (is_referred) cache.prefix.rows = at::arange(69, -1, -1, at::kInt);
      const auto expected = ragged_attention(queries, cache, 0.1).to(at::kFloat);
      const auto got = ragged_attention(queries.to(at::kCUDA), on(at::kCUDA, cache), 0.1);
      EXPECT_LT((got.cpu().to(at::kFloat) - expected).abs().max().item<double>(), tolerance)
          << c10::toString(dtype);
    }
  }
}

}  // namespace
}  // namespace kvcal
