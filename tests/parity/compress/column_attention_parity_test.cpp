// SPDX-License-Identifier: Apache-2.0
// Column sums against KVCache-Factory's accumulated attention; see README.md.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "kvcal/compress/kernels.hpp"
#include "support/paths.hpp"
#include "support/safetensors_case.hpp"

namespace kvcal {
namespace {

/// @param reduced  [rows, tokens]; the reference has the tokens before the window only
void expect_as_reference(const at::Tensor& reduced, const at::Tensor& expected) {
  EXPECT_TRUE(at::allclose(reduced.narrow(1, 0, expected.size(1)), expected, 5e-5));
}

TEST(ColumnAttentionParity, ChunkedColumnSumsAreH2OsAccumulatedAttention) {
  const test::SafetensorsCase input(test::test_file("parity/compress/input_small.safetensors"));
  const test::SafetensorsCase expected(test::test_file("parity/compress/h2o_small.safetensors"));
  const auto queries = input["queries"], keys = input["keys"];
  auto sums = at::zeros({queries.size(0), queries.size(1)});  // [heads, tokens]
  for (const auto& [begin, end] : {std::pair{0, 128}, {128, 200}}) {
    add_column_sums(queries.slice(1, begin, end), keys.slice(1, 0, end), 1 / std::sqrt(16.0), sums);
  }
  expect_as_reference(sums, expected["query_head.scores"]);
  expect_as_reference(sums.unflatten(0, {2, -1}).mean(1), expected["kv_head.scores"]);
}

}  // namespace
}  // namespace kvcal
