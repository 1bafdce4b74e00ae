// SPDX-License-Identifier: Apache-2.0
#include "support/scorer_case.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kvcal/compress/keep_set.hpp"
#include "support/paths.hpp"

namespace kvcal::test {

std::filesystem::path case_file(const std::string& name, const std::string& size) {
  const auto file = name + "_" + size + ".safetensors";
  if (size == "small") return test_file("parity/compress/" + file);
  return external_data("golden/methods/" + file);
}

LayerView view_of(const SafetensorsCase& input) {
  LayerView view;
  view.queries = input["queries"].slice(1, -64);  // [heads, 64, head_dim]
  view.keys = input["keys"];
  view.values = input["values"];
  view.output_weight = input["output_weight"];
  return view;
}

std::unique_ptr<Scorer> make_scorer(std::string_view name,
                                    const std::map<std::string, ParamValue>& values) {
  ParamMap params;
  for (const auto& [key, value] : values) params[key] = {value, "test"};
  return find_scorer(name).make(params);
}

void expect_close(const at::Tensor& got, const at::Tensor& expected, double tolerance) {
  ASSERT_EQ(got.sizes(), expected.sizes());
  const auto error = ((got - expected) / expected).abs().flatten();
  const int64_t worst = error.argmax().item<int64_t>();
  EXPECT_LT(error[worst].item<double>(), tolerance)
      << "index " << worst << ": " << got.flatten()[worst].item<double>() << " instead of "
      << expected.flatten()[worst].item<double>();
}

void expect_kept(const at::Tensor& scores, const at::Tensor& expected, const at::Tensor& gap) {
  const int64_t kv_heads = scores.size(0);
  const auto keep = select_top(scores, at::full({kv_heads}, expected.size(1), at::kLong));
  for (int64_t k = 0; k < kv_heads; ++k) {
    if (gap[k].item<double>() >= kSureGap) {
      EXPECT_TRUE(at::equal(keep.of_head(k), expected[k])) << "KV head " << k;
      continue;
    }
    const auto ours = std::get<0>(scores[k].index_select(0, keep.of_head(k)).sort());
    const auto theirs = std::get<0>(scores[k].index_select(0, expected[k]).sort());
    EXPECT_TRUE(at::allclose(ours, theirs, kScoreTolerance)) << "KV head " << k;
  }
}

}  // namespace kvcal::test
