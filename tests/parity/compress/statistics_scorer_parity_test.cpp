// SPDX-License-Identifier: Apache-2.0
// Scorers that look at all prompt queries, against KVCache-Factory and kvpress; the statistics are
// taken here with plain tensors. See README.md for versions and tolerances.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "support/paths.hpp"
#include "support/scorer_case.hpp"

namespace kvcal {
namespace {

using namespace test;

/// [heads, tokens]: what each token gets from all queries.
at::Tensor column_sums(const at::Tensor& queries, const at::Tensor& keys) {
  const int64_t tokens = keys.size(1), group = queries.size(0) / keys.size(0);
  const double scale = 1 / std::sqrt(static_cast<double>(keys.size(2)));
  const auto logits = at::matmul(queries, keys.repeat_interleave(group, 0).transpose(1, 2)) * scale;
  const auto future = at::ones({tokens, tokens}, at::kBool).triu(1);
  return at::softmax(logits.masked_fill(future, -INFINITY), -1).sum(1);
}

LayerView view_with_statistics(const std::string& size) {
  const SafetensorsCase input(case_file("input", size));
  LayerView view = view_of(input);
  view.statistics.column_sums = column_sums(input["queries"], input["keys"]);
  const auto queries = input["queries_prerope"].slice(1, kMomentsSkipTokens);
  view.statistics.query_mean = queries.mean(1);
  const auto centred = queries - queries.mean(1, /*keepdim=*/true);
  view.statistics.query_covariance = at::matmul(centred.transpose(1, 2), centred) / centred.size(1);
  const double theta = size == "small" ? 1e4 : 1e5;
  const int64_t dim = view.head_dim();
  view.rope_frequencies = at::pow(theta, -at::arange(0, dim, 2, at::kFloat) / dim);
  return view;
}

class StatisticsScorerParity : public testing::TestWithParam<std::string> {
 protected:
  std::filesystem::path find(const std::string& name) const { return case_file(name, GetParam()); }
};

TEST_P(StatisticsScorerParity, H2oScoresAsKvCacheFactory) {
  const auto file = find("h2o");
  KVCAL_SKIP_IF_ABSENT(file, "golden/methods");
  const SafetensorsCase expected(file);
  const auto view = view_with_statistics(GetParam());
  const auto scores = make_scorer("h2o")->score(view);
  expect_close(scores.narrow(1, 0, view.tokens() - 8), expected["kv_head.scores"]);
  expect_kept(scores, expected["kv_head.kept"], expected["kv_head.gap"]);
}

TEST_P(StatisticsScorerParity, ExpectedAttentionScoresAsKvpress) {
  const auto file = find("expected_attention");
  KVCAL_SKIP_IF_ABSENT(file, "golden/methods");
  const SafetensorsCase expected(file);
  const auto view = view_with_statistics(GetParam());
  const std::map<std::string, std::map<std::string, ParamValue>> variants{
      {"default", {}},
      {"eps0.02", {{"epsilon", 0.02}}},
      {"no_vnorm", {{"use_vnorm", false}}},
      {"no_cov", {{"use_covariance", false}}},
      {"future64", {{"n_future", int64_t{64}}}}};
  for (const auto& [variant, params] : variants) {
    SCOPED_TRACE(variant);
    const auto scores = make_scorer("expected_attention", params)->score(view);
    EXPECT_TRUE(at::isposinf(scores.narrow(1, 0, 4)).all().item<bool>());
    expect_close(scores.slice(1, 4), expected[variant + ".scores"].slice(1, 4), 1e-4);
    // Twice the usual distance: what rounds in the exponent grows.
    expect_kept(scores, expected[variant + ".kept"], expected[variant + ".gap"] / 2);
  }
}

INSTANTIATE_TEST_SUITE_P(Case, StatisticsScorerParity, testing::Values("small", "real"),
                         [](const auto& size) { return size.param; });

TEST(StatisticsScorerParity, ObservedAttentionScoresAsKvpress) {
  const SafetensorsCase expected(case_file("observed_attention", "small"));
  const auto scores = make_scorer("observed_attention")->score(view_with_statistics("small"));
  expect_close(scores, expected["scores"]);
}

}  // namespace
}  // namespace kvcal
