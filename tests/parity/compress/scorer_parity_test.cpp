// SPDX-License-Identifier: Apache-2.0
// Scorers against kvpress, KVCache-Factory and CompressKV; see README.md for versions and
// tolerances.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kvcal/compress/keep_set.hpp"
#include "kvcal/compress/scorer.hpp"
#include "support/paths.hpp"
#include "support/safetensors_case.hpp"

namespace kvcal {
namespace {

using test::SafetensorsCase;

constexpr double kRelativeTolerance = 5e-5;
/// Below this relative distance of neighbours at the cut, references may order them otherwise.
constexpr double kSureGap = 1e-4;

/// small: in the repository; real: a layer of SmolLM2, where the external data is there.
std::filesystem::path case_file(const std::string& name, const std::string& size) {
  const auto file = name + "_" + size + ".safetensors";
  if (size == "small") return test::test_file("parity/compress/" + file);
  return test::external_data("golden/methods/" + file);
}

LayerView view_of(const SafetensorsCase& input) {
  LayerView view;
  view.queries = input["queries"].slice(1, -64);  // [heads, 64, head_dim]
  view.keys = input["keys"];
  view.values = input["values"];
  return view;
}

std::unique_ptr<Scorer> make(std::string_view name,
                             const std::map<std::string, ParamValue>& values) {
  ParamMap params;
  for (const auto& [key, value] : values) params[key] = {value, "test"};
  return find_scorer(name).make(params);
}

std::unique_ptr<Scorer> make_snapkv(int64_t window, int64_t kernel, const std::string& pool,
                                    const std::string& pool_of) {
  return make(
      "snapkv",
      {{"window_tokens", window}, {"pool_kernel", kernel}, {"pool", pool}, {"pool_of", pool_of}});
}

void expect_close(const at::Tensor& got, const at::Tensor& expected) {
  ASSERT_EQ(got.sizes(), expected.sizes());
  const auto error = ((got - expected) / expected).abs().flatten();
  const int64_t worst = error.argmax().item<int64_t>();
  EXPECT_LT(error[worst].item<double>(), kRelativeTolerance)
      << "index " << worst << ": " << got.flatten()[worst].item<double>() << " instead of "
      << expected.flatten()[worst].item<double>();
}

/// @param expected, gap  [kv_heads, kept], [kv_heads]
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
    EXPECT_TRUE(at::allclose(ours, theirs, kRelativeTolerance)) << "KV head " << k;
  }
}

class ScorerParity : public testing::TestWithParam<std::string> {
 protected:
  std::filesystem::path find(const std::string& name) const { return case_file(name, GetParam()); }
};

TEST_P(ScorerParity, SnapKvScoresAsKvpress) {
  const auto file = find("snapkv"), input = find("input");
  KVCAL_SKIP_IF_ABSENT(file, "golden/methods");
  const SafetensorsCase expected(file);
  const auto view = view_of(SafetensorsCase(input));
  for (const int64_t window : {8, 64}) {
    const auto variant = fmt::format("kvpress_w{}", window);
    SCOPED_TRACE(variant);
    const auto scores = make_snapkv(window, 5, "avg", "heads")->score(view);
    const int64_t past = view.tokens() - window;
    // kvpress takes the mean over the window's rows, we the sum.
    expect_close(scores.narrow(1, 0, past) / static_cast<double>(window),
                 expected[variant + ".scores"].narrow(1, 0, past));
    expect_kept(scores, expected[variant + ".kept"], expected[variant + ".gap"]);
  }
}

TEST_P(ScorerParity, SnapKvScoresAsKvCacheFactory) {
  const auto file = find("snapkv"), input = find("input");
  KVCAL_SKIP_IF_ABSENT(file, "golden/methods");
  const SafetensorsCase expected(file);
  const auto view = view_of(SafetensorsCase(input));
  const auto check = [&](const std::string& variant, const Scorer& scorer) {
    SCOPED_TRACE(variant);
    const auto scores = scorer.score(view);
    expect_close(scores.narrow(1, 0, view.tokens() - 8), expected[variant + ".scores"]);
    expect_kept(scores, expected[variant + ".kept"], expected[variant + ".gap"]);
  };
  check("kvf_w8_k5_avg", *make_snapkv(8, 5, "avg", "group"));
  check("kvf_w8_k5_avg", *make_snapkv(8, 5, "avg", "heads"));
  check("kvf_w8_k7_max", *make_snapkv(8, 7, "max", "group"));
}

TEST_P(ScorerParity, SrhWindowSelectsAsCompressKv) {
  const auto file = find("compresskv_select"), input = find("input");
  KVCAL_SKIP_IF_ABSENT(file, "golden/methods");
  const SafetensorsCase expected(file);
  auto view = view_of(SafetensorsCase(input));
  const auto ranking = expected["ranking"];  // [heads]
  const auto* best = ranking.const_data_ptr<int64_t>();
  const std::vector<int64_t> order(best, best + ranking.numel());
  ProfileFacts profile;
  profile.semantic_ranking.emplace(size_t{1}, order);
  view.profile = &profile;
  for (const int64_t heads : {4, 2, 1}) {
    SCOPED_TRACE(heads);
    const auto scores = make("srh_window", {{"srh_heads", heads}})->score(view);
    const auto theirs = expected[fmt::format("k{}.scores", heads)];
    expect_close(scores.narrow(1, 0, view.tokens() - 8), theirs.expand({view.kv_heads(), -1}));
    for (const int64_t budget : {128, 64, 32}) {
      const auto variant = fmt::format("B{}_k{}", budget, heads);
      if (!expected.has(variant + ".kept")) continue;
      const auto kept = expected[variant + ".kept"].expand({view.kv_heads(), -1});
      expect_kept(scores, kept, expected[variant + ".gap"].expand({view.kv_heads()}));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Case, ScorerParity, testing::Values("small", "real"),
                         [](const auto& size) { return size.param; });

TEST(ScorerParity, StreamingLlmKeepsAsKvpressAndKvCacheFactory) {
  const SafetensorsCase expected(test::test_file("parity/compress/streamingllm.safetensors"));
  const auto scorer = make("streaming_llm", {});
  for (const auto& [size, tokens] : {std::pair{"small", 200}, {"real", 600}}) {
    for (const std::string reference : {"kvpress_sink4", "kvf_window_b_minus_4"}) {
      SCOPED_TRACE(reference);
      const auto kept = expected[fmt::format("{}.{}.kept", size, reference)];
      LayerView view;
      view.keys = at::zeros({kept.size(0), tokens, 1});
      expect_kept(scorer->score(view), kept, at::ones({kept.size(0)}));
    }
  }
}

}  // namespace
}  // namespace kvcal
