// SPDX-License-Identifier: Apache-2.0
// Column sums, pooled window scores and prefill attention on a CUDA device against the CPU.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kernels/backend.hpp"
#include "kvcal/compress/kernels.hpp"
#include "support/random_layer.hpp"
#include "window_scores.hpp"

namespace kvcal {
namespace {

class ColumnsGpu : public testing::Test {
 protected:
  void SetUp() override {
    if (!at::hasCUDA()) GTEST_SKIP() << "no CUDA device, or LibTorch without CUDA";
  }

  static double difference(const at::Tensor& on_gpu, const at::Tensor& expected) {
    return (on_gpu.cpu().to(at::kFloat) - expected.to(at::kFloat)).abs().max().item<double>();
  }

  std::mt19937 random_{8};
  const at::Tensor queries_ = test::normal(random_, {6, 70, 80});
  const at::Tensor keys_ = test::normal(random_, {3, 300, 80});
  const at::Tensor values_ = test::normal(random_, {3, 300, 80});
};

TEST_F(ColumnsGpu, ColumnSumsAddUp) {
  for (const auto dtype : {at::kFloat, at::kBFloat16, at::kHalf}) {
    const auto queries = queries_.to(dtype), keys = keys_.to(dtype);
    auto expected = at::ones({6, 310}), sums = expected.to(at::kCUDA);
    add_column_sums(queries, keys, 0.1, expected);
    add_column_sums(queries.to(at::kCUDA), keys.to(at::kCUDA), 0.1, sums);
    EXPECT_LT(difference(sums, expected), 1e-4) << c10::toString(dtype);
  }
}

TEST_F(ColumnsGpu, PooledWindowScoresAgree) {
  const auto window = window_attention(queries_, keys_, 0.1);  // [heads, window, tokens]
  const auto mass = window.narrow(2, 0, 230).sum(1);
  for (const auto& [name, pool] :
       {std::pair("avg", Pool::avg), std::pair("max", Pool::max), std::pair("grow", Pool::grow)}) {
    const auto pooled =
        cuda::pooled_window_mass(queries_.to(at::kCUDA), keys_.to(at::kCUDA), 0.1, pool, 7);
    EXPECT_LT(difference(pooled, pool_tokens(mass, name, 7)), 1e-4) << name;
  }
}

TEST_F(ColumnsGpu, PrefillAttentionAgrees) {
  const auto expected = causal_attention(queries_, keys_, values_, 0.1);
  const auto got =
      causal_attention(queries_.to(at::kCUDA), keys_.to(at::kCUDA), values_.to(at::kCUDA), 0.1);
  EXPECT_LT(difference(got, expected), 1e-4);
}

}  // namespace
}  // namespace kvcal
