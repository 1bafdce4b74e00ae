// SPDX-License-Identifier: Apache-2.0
// Scorers that look at keys and values alone, against kvpress; see README.md for versions and
// tolerances.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kvcal/compress/keep_set.hpp"
#include "support/paths.hpp"
#include "support/scorer_case.hpp"

namespace kvcal {
namespace {

using namespace test;

class KeyScorerParity : public testing::TestWithParam<std::string> {
 protected:
  std::filesystem::path find(const std::string& name) const { return case_file(name, GetParam()); }
};

TEST_P(KeyScorerParity, KNormAndKeyDiffScoreAsKvpress) {
  for (const std::string name : {"knorm", "keydiff"}) {
    SCOPED_TRACE(name);
    const auto file = find(name);
    KVCAL_SKIP_IF_ABSENT(file, "golden/methods");
    const SafetensorsCase expected(file);
    const auto scores = make_scorer(name)->score(view_of(SafetensorsCase(find("input"))));
    expect_close(scores, expected["scores"]);
    expect_kept(scores, expected["kept"], expected["gap"]);
  }
}

/// Tokens that a reference marks with 1.
at::Tensor marked(const at::Tensor& flags) {
  return flags.nonzero().squeeze(1);
}

TEST_P(KeyScorerParity, LagKvRanksAsKvpress) {
  const auto file = find("lagkv");
  KVCAL_SKIP_IF_ABSENT(file, "golden/methods");
  const SafetensorsCase expected(file);
  const int64_t lag = GetParam() == "small" ? 16 : 128;
  const auto view = view_of(SafetensorsCase(find("input")));
  const auto scores = make_scorer("lagkv", {{"lag_tokens", lag}})->score(view);
  // Sinks and the tail score 1 in kvpress.
  EXPECT_TRUE(at::equal(scores.clamp_max(1), expected["scores"]));
  const auto keep = select_top(scores, at::full({view.kv_heads()}, view.tokens() / 2, at::kLong));
  for (int64_t k = 0; k < view.kv_heads(); ++k) {
    const auto sure = marked(expected["surely_kept"][k]), kept = keep.of_head(k);
    EXPECT_TRUE(at::isin(sure, kept).all().item<bool>()) << "KV head " << k;
    const auto allowed = at::cat({sure, marked(expected["tied_at_cut"][k])});
    EXPECT_TRUE(at::isin(kept, allowed).all().item<bool>()) << "KV head " << k;
  }
}

TEST_P(KeyScorerParity, LagKvScoresAcrossPartitionsAsKvpress) {
  const auto file = find("lagkv");
  KVCAL_SKIP_IF_ABSENT(file, "golden/methods");
  const SafetensorsCase expected(file);
  const int64_t lag = GetParam() == "small" ? 16 : 128;
  const auto scorer = make_scorer("lagkv", {{"lag_tokens", lag}, {"cross_scoring", true}});
  const auto scores = scorer->score(view_of(SafetensorsCase(find("input"))));
  expect_close(scores.clamp_max(1), expected["cross.scores"], 1e-4);
  expect_kept(scores, expected["cross.kept"], expected["cross.gap"]);
}

INSTANTIATE_TEST_SUITE_P(Case, KeyScorerParity, testing::Values("small", "real"),
                         [](const auto& size) { return size.param; });

TEST(KeyScorerParity, LagKvKeepsTheLastTokensOfAShortPromptAsKvpress) {
  const SafetensorsCase expected(case_file("lagkv_short", "small"));
  const auto scores =
      make_scorer("lagkv")->score(view_of(SafetensorsCase(case_file("input", "small"))));
  constexpr int64_t kSinks = 4;
  // Ours are above those of ranked tokens, by 1.
  EXPECT_TRUE(at::allclose(scores.slice(1, kSinks) - 1, expected["scores"].slice(1, kSinks)));
  expect_kept(scores, expected["kept"], at::ones({2}));
}

}  // namespace
}  // namespace kvcal
