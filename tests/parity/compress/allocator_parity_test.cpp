// SPDX-License-Identifier: Apache-2.0
// Layer budgets against CompressKV; see README.md.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kvcal/compress/allocator.hpp"
#include "support/paths.hpp"
#include "support/safetensors_case.hpp"

namespace kvcal {
namespace {

using test::SafetensorsCase;

std::vector<int64_t> numbers(const at::Tensor& tensor, int64_t count) {
  const auto* begin = tensor.const_data_ptr<int64_t>();
  return {begin, begin + count};
}

std::vector<int64_t> allocate(const at::Tensor& importance, int64_t layers, int64_t budget,
                              int64_t min, int64_t max) {
  const std::span<const double> shares(importance.const_data_ptr<double>(),
                                       static_cast<size_t>(layers));
  return allocate_by_layer_error(shares, budget * layers, min, max);
}

TEST(AllocatorParity, LayerBudgetsOfAGridAreCompressKvs) {
  const SafetensorsCase expected(
      test::test_file("parity/compress/compresskv_allocation.safetensors"));
  const auto grid = expected["grid"];
  for (int64_t row = 0; row < grid.size(0); ++row) {
    const auto cell = numbers(grid[row], 4);  // layers, B, min, max
    const auto got = allocate(expected["importance"][row], cell[0], cell[1], cell[2], cell[3]);
    EXPECT_EQ(got, numbers(expected["budgets"][row], cell[0])) << "row " << row;
  }
}

TEST(AllocatorParity, BudgetsFromPublishedLayerScoresAreCompressKvs) {
  const auto file =
      test::external_data("golden/methods/compresskv_allocation_published.safetensors");
  KVCAL_SKIP_IF_ABSENT(file, "golden/methods");
  const SafetensorsCase expected(file);
  for (const std::string model : {"llama31", "mistral03"}) {
    for (const int64_t budget : {128, 256, 512, 1024, 2048}) {
      const auto got = allocate(expected[model + ".importance"], 32, budget, 32, 3 * budget);
      EXPECT_EQ(got, numbers(expected[fmt::format("{}.B{}", model, budget)], 32))
          << model << " " << budget;
    }
  }
}

}  // namespace
}  // namespace kvcal
