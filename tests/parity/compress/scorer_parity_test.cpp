// SPDX-License-Identifier: Apache-2.0
// Scorers that look through a window, or at positions alone, against kvpress, KVCache-Factory and
// CompressKV; see README.md for versions and tolerances.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kvcal/compress/scorer.hpp"
#include "support/paths.hpp"
#include "support/scorer_case.hpp"

namespace kvcal {
namespace {

using namespace test;

std::unique_ptr<Scorer> make_snapkv(int64_t window, int64_t kernel, const std::string& pool,
                                    const std::string& pool_of) {
  return make_scorer(
      "snapkv",
      {{"window_tokens", window}, {"pool_kernel", kernel}, {"pool", pool}, {"pool_of", pool_of}});
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

TEST_P(ScorerParity, SnapKvWithStridedGroupsScoresAsTheBaselineOfCompressKv) {
  const auto file = find("snapkv"), input = find("input");
  KVCAL_SKIP_IF_ABSENT(file, "golden/methods");
  const SafetensorsCase expected(file);
  const auto view = view_of(SafetensorsCase(input));
  const auto scorer = make_scorer("snapkv", {{"window_tokens", int64_t{8}},
                                             {"pool_kernel", int64_t{5}},
                                             {"pool", "avg"},
                                             {"grouping", "strided"}});
  const auto scores = scorer->score(view);
  expect_close(scores.narrow(1, 0, view.tokens() - 8), expected["compresskv_strided.scores"]);
  expect_kept(scores, expected["compresskv_strided.kept"], expected["compresskv_strided.gap"]);
}

TEST_P(ScorerParity, TovaScoresAsKvpress) {
  const auto file = find("tova"), input = find("input");
  KVCAL_SKIP_IF_ABSENT(file, "golden/methods");
  const SafetensorsCase expected(file);
  const auto view = view_of(SafetensorsCase(input));
  const auto scores = make_scorer("tova")->score(view);
  const int64_t past = view.tokens() - 1;
  expect_close(scores.narrow(1, 0, past), expected["scores"].narrow(1, 0, past));
  expect_kept(scores, expected["kept"], expected["gap"]);
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
    const auto scores = make_scorer("srh_window", {{"srh_heads", heads}})->score(view);
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

TEST(ScorerParity, CakeScoresAsCompressKv) {
  const auto small = test::external_data("golden/methods/cake_small.safetensors");
  KVCAL_SKIP_IF_ABSENT(small, "golden/methods");
  const auto scorer = make_scorer("cake");
  const SafetensorsCase layers(small);
  for (int64_t l = 0; l < layers["keys"].size(0); ++l) {
    SCOPED_TRACE(l);
    LayerView view;
    view.queries = layers["queries"][l];
    view.keys = layers["keys"][l];
    expect_close(scorer->score(view).narrow(1, 0, 192), layers["scores"][l], 1e-4);
  }
  const SafetensorsCase real(case_file("cake", "real"));
  const auto view = view_of(SafetensorsCase(case_file("input", "real")));
  expect_close(scorer->score(view).narrow(1, 0, 592), real["scores"], 1e-4);
}

void expect_streaming(const Scorer& scorer, const std::string& reference) {
  const SafetensorsCase expected(test::test_file("parity/compress/streamingllm.safetensors"));
  for (const auto& [size, tokens] : {std::pair{"small", 200}, {"real", 600}}) {
    SCOPED_TRACE(reference);
    const auto kept = expected[fmt::format("{}.{}.kept", size, reference)];
    LayerView view;
    view.keys = at::zeros({kept.size(0), tokens, 1});
    expect_kept(scorer.score(view), kept, at::ones({kept.size(0)}));
  }
}

TEST(ScorerParity, StreamingLlmKeepsAsKvpressAndKvCacheFactory) {
  const auto scorer = make_scorer("streaming_llm");
  expect_streaming(*scorer, "kvpress_sink4");
  expect_streaming(*scorer, "kvf_window_b_minus_4");
}

TEST(ScorerParity, StreamingLlmThatFillsFromTheFirstKeepsAsTheBaselineOfCompressKv) {
  const auto scorer =
      make_scorer("streaming_llm",
                  {{"sink_tokens", int64_t{0}}, {"recent_tokens", int64_t{8}}, {"rest", "first"}});
  expect_streaming(*scorer, "compresskv_window8");
}

}  // namespace
}  // namespace kvcal
