// SPDX-License-Identifier: Apache-2.0
// Selectors (critical, chunk) against kvpress; see README.md.
#include "parity/compress/split_case.hpp"

namespace kvcal {
namespace {

using test::numbers;
using test::params_of;
using test::SafetensorsCase;

class SelectorParity : public testing::TestWithParam<std::string> {
 protected:
  std::filesystem::path find(const std::string& name) const {
    return test::case_file(name, GetParam());
  }
};

INSTANTIATE_TEST_SUITE_P(Case, SelectorParity, testing::Values("small", "real"),
                         [](const auto& size) { return size.param; });

void expect_rows(const KeepSet& keep, const at::Tensor& kept) {
  for (int64_t k = 0; k < keep.kv_heads(); ++k) {
    EXPECT_EQ(numbers(keep.of_head(k)), numbers(kept[k])) << "KV head " << k;
  }
}

TEST_P(SelectorParity, CriticalKeepsAsKvpress) {
  const auto file = find("criticalkv"), input = find("input");
  KVCAL_SKIP_IF_ABSENT(file, "golden/methods");
  const SafetensorsCase expected(file);
  const auto view = test::view_of(SafetensorsCase(input));
  const auto selector = find_selector("critical").make({});
  const auto norms = selector->measure(view);
  EXPECT_TRUE(at::allclose(norms, expected["value_norm"], 5e-5, 0));

  const int64_t budget = view.tokens() / 4;
  const auto even = at::full({view.kv_heads()}, budget, at::kLong);
  const auto rated = SafetensorsCase(find("expected_attention"))["no_vnorm.scores"];
  for (const auto& [name, scores] :
       {std::pair{"snapkv", test::snapkv_scores(view)}, std::pair{"expected_attention", rated}}) {
    SCOPED_TRACE(name);
    const auto gap = expected[fmt::format("{}.gap", name)];
    ASSERT_GE(gap.min().item<double>(), 1e-4);
    expect_rows(selector->select({scores, norms, even}), expected[fmt::format("{}.kept", name)]);
    auto request = test::request_of(1, view.kv_heads(), view.tokens(), budget);
    const std::vector<at::Tensor> layers{scores};
    request.scores = layers;
    const auto kept = find_allocator("ada").make({})->allocate(request)[0];
    const auto keep = selector->select({scores, norms, kept});
    EXPECT_EQ(numbers(keep.offsets), numbers(expected[fmt::format("ada_{}.offsets", name)]));
    EXPECT_EQ(numbers(keep.indices), numbers(expected[fmt::format("ada_{}.kept", name)]));
  }
}

TEST_P(SelectorParity, ChunkKeepsAsKvpress) {
  const auto file = find("chunkkv"), input = find("input");
  KVCAL_SKIP_IF_ABSENT(file, "golden/methods");
  const SafetensorsCase expected(file);
  const auto view = test::view_of(SafetensorsCase(input));
  const auto snapkv = test::snapkv_scores(view);
  const auto knorm = SafetensorsCase(find("knorm"))["scores"];
  for (const auto& [ratio, part] : {std::pair{"r0.5", 2}, {"r0.75", 4}}) {
    const auto kept = at::full({view.kv_heads()}, view.tokens() / part, at::kLong);
    for (const int64_t chunk : {10, 20}) {
      const auto name = fmt::format("{}_chunk{}", ratio, chunk);
      SCOPED_TRACE(name);
      const auto params = params_of({{"chunk_tokens", chunk}});
      expect_rows(test::select("chunk", params, snapkv, {}, kept), expected[name + ".kept"]);
      if (chunk == 10) continue;
      expect_rows(test::select("chunk", params, knorm, {}, kept), expected[name + "_knorm.kept"]);
    }
  }
}

TEST(SelectorParityFromScores, ChunkKeepsAsKvpress) {
  const SafetensorsCase expected(
      test::test_file("parity/compress/chunkkv_from_scores.safetensors"));
  struct Case {
    std::string name;
    double ratio;
    int64_t chunk;
  };
  for (const auto& [name, ratio, chunk] :
       {Case{"a", .5, 20}, {"b", .5, 20}, {"c", .75, 10}, {"d", .5, 20}, {"e", .9, 20}}) {
    SCOPED_TRACE(name);
    const auto scores = expected[name + ".scores"];
    const auto kept = static_cast<int64_t>(static_cast<double>(scores.size(1)) * (1 - ratio));
    const auto keep = test::select("chunk", params_of({{"chunk_tokens", chunk}}), scores, {},
                                   at::full({scores.size(0)}, kept, at::kLong));
    expect_rows(keep, expected[name + ".kept"]);
  }
}

}  // namespace
}  // namespace kvcal
