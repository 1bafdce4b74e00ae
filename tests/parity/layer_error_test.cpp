// SPDX-License-Identifier: Apache-2.0
// The layer error against CompressKV's own function; case and source: compress/README.md.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "kvcal/compress/compactor.hpp"
#include "kvcal/compress/keep_set.hpp"
#include "kvcal/compress/kernels.hpp"
#include "kvcal/profile/layer_budget.hpp"
#include "support/paths.hpp"
#include "support/safetensors_case.hpp"

namespace kvcal {
namespace {

constexpr double kErrorTolerance = 1e-4;  // relative; other order of f32 sums

/// Decode steps over a full cache, with the kept entries of the case evicted on the side.
std::vector<double> errors_of(const test::SafetensorsCase& input,
                              const test::SafetensorsCase& expected, const std::string& budget) {
  const auto keys = input["keys"], values = input["values"];  // [kv_heads, tokens, head_dim]
  const int64_t kv_heads = keys.size(0), head_dim = keys.size(2);
  const auto indices = expected[budget + ".kept"];  // one list for all KV heads
  const KeepSet keep{indices.repeat({kv_heads}),
                     at::arange(kv_heads + 1, at::kLong) * indices.size(0)};
  EvictionErrorObserver observer({gather(keys, values, keep)});
  const KeepSet everything{at::arange(keys.size(1), at::kLong).repeat({kv_heads}),
                           at::arange(kv_heads + 1, at::kLong) * keys.size(1)};
  const auto full = gather(keys, values, everything);
  const double scale = 1 / std::sqrt(static_cast<double>(head_dim));

  std::vector<double> errors;
  double before = 0;
  for (int64_t step = 0; step < expected["decode_queries"].size(1); ++step) {
    const auto queries =
        expected["decode_queries"].narrow(1, step, 1).contiguous();  // [heads, 1, head_dim]
    const CacheLayer cache{full, expected["decode_keys"].narrow(1, 0, step + 1).contiguous(),
                           expected["decode_values"].narrow(1, 0, step + 1).contiguous()};
    const auto output = ragged_attention(queries, cache, scale).transpose(0, 1).reshape({1, -1});
    observer.after_attention({0, 0, queries, cache, output, input["output_weight"], scale});
    errors.push_back(observer.sum()[0] - before);
    before = observer.sum()[0];
  }
  return errors;
}

void expect_errors(const std::filesystem::path& input_file,
                   const std::filesystem::path& case_file) {
  const test::SafetensorsCase input(input_file), expected(case_file);
  for (const std::string budget : {"B32", "B64"}) {
    if (!expected.has(budget + ".error")) continue;
    const auto errors = errors_of(input, expected, budget);
    const auto wanted = expected[budget + ".error"];  // [steps] f64
    ASSERT_EQ(static_cast<int64_t>(errors.size()), wanted.numel());
    for (size_t step = 0; step < errors.size(); ++step) {
      const double value = wanted[static_cast<int64_t>(step)].item<double>();
      EXPECT_NEAR(errors[step], value, kErrorTolerance * value) << budget << " step " << step;
    }
  }
}

TEST(LayerErrorParity, RandomLayerHasTheErrorsOfCompressKv) {
  expect_errors(test::test_file("parity/compress/input_small.safetensors"),
                test::test_file("parity/compress/layer_error_small.safetensors"));
}

TEST(LayerErrorParity, LayerOfARealModelHasTheErrorsOfCompressKv) {
  const auto input = test::external_data("golden/methods/input_real.safetensors");
  KVCAL_SKIP_IF_ABSENT(input, "the reference case of a real layer");
  expect_errors(input, test::external_data("golden/methods/layer_error_real.safetensors"));
}

}  // namespace
}  // namespace kvcal
