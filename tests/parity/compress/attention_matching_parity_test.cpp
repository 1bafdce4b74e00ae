// SPDX-License-Identifier: Apache-2.0
// Attention Matching against its authors' code; see README.md.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "kvcal/compress/chunks.hpp"
#include "matching/bounded_fit.hpp"
#include "matching/reference_attention.hpp"
#include "support/matching_case.hpp"
#include "support/paths.hpp"
#include "support/safetensors_case.hpp"

namespace kvcal {
namespace {

using test::SafetensorsCase;

const Bounds kHighestBounds{std::exp(-3), std::exp(3)};
const Bounds kOmpBounds{1e-12, std::exp(7)};
constexpr double kSureMargin = 1e-4;
constexpr double kBetaTolerance = 5e-4;
constexpr double kValueTolerance = 5e-4;  // of the largest value
constexpr double kErrorTolerance = 1e-4;
constexpr double kWellConditioned = 1e4;

/// One configuration of the authors.
struct Config {
  std::string name;
  test::MatchingMethod method;
};

const std::vector<Config>& highest_configs() {
  static const std::vector<Config> configs{
      {"rms_ls", {"top", {{"gradient_steps", int64_t{0}}}}},
      {"mean_zero_direct",
       {"top", {{"reduction", "mean"}, {"weights", "none"}, {"fitted_values", "direct"}}}}};
  return configs;
}

test::MatchingMethod omp(int64_t keys_per_step, int64_t refit_interval, double drop) {
  return {"omp",
          {{"keys_per_step", keys_per_step},
           {"refit_interval", refit_interval},
           {"drop_log_weight", drop},
           {"gradient_steps", int64_t{0}},
           {"min_log_weight", std::log(1e-12)},
           {"max_log_weight", 7.0}}};
}

const std::vector<Config>& omp_configs() {
  static const std::vector<Config> configs{
      {"omp", omp(1, 1, -7)}, {"omp_plain", omp(1, 1, -100)}, {"omp_fast", omp(4, 2, -7)}};
  return configs;
}

struct File {
  std::string name;
  std::vector<int64_t> counts;
};

class AttentionMatchingParity : public testing::TestWithParam<File> {
 protected:
  static std::filesystem::path find() {
    const auto name = "attention_matching_" + GetParam().name + ".safetensors";
    if (GetParam().name == "real") return test::external_data("golden/methods/" + name);
    return test::test_file("parity/compress/" + name);
  }
  /// [1, rows, head_dim]
  static at::Tensor scaled_queries(const SafetensorsCase& input) {
    const auto queries = input["queries"].unsqueeze(0);
    return queries / std::sqrt(static_cast<double>(queries.size(2)));
  }
  /// [1, tokens]
  static at::Tensor nothing(const SafetensorsCase& input) {
    return at::zeros({1, input["keys"].size(0)}, at::kBool);
  }
  static LayerView view_of(const SafetensorsCase& input) {
    const auto bias = input.has("bias") ? input["bias"] : at::Tensor();
    return test::head_view(input["queries"], input["keys"], input["values"], bias);
  }
};

INSTANTIATE_TEST_SUITE_P(Case, AttentionMatchingParity,
                         testing::Values(File{"random", {4, 16, 32}}, File{"random_bias", {16}},
                                         File{"drop", {48}}, File{"real", {16, 50, 100}}),
                         [](const auto& row) { return row.param.name; });

at::Tensor sorted(const at::Tensor& indices) {
  return std::get<0>(indices.sort());
}

/// Bias and values in the order of the keep set, as the authors' are in theirs.
void expect_fit(const test::Matched& matched, const SafetensorsCase& expected,
                const std::string& name) {
  const auto order = std::get<1>(expected[name + ".indices"].sort());
  const auto beta = expected[name + ".beta"].index_select(0, order);
  const auto bias = matched.layer.bias.defined() ? matched.layer.bias : at::zeros_like(beta);
  EXPECT_LT((bias - beta).abs().max().item<double>(), kBetaTolerance);
  if (!expected.has(name + ".values")) return;  // copied
  if (expected[name + ".condition"].item<double>() >= kWellConditioned) return;
  const auto values = expected[name + ".values"].index_select(0, order);
  EXPECT_LT((matched.layer.values - values).abs().max().item<double>(),
            kValueTolerance * values.abs().max().item<double>());
}

void expect_errors(const test::Matched& matched, const LayerView& view,
                   const SafetensorsCase& expected, const std::string& name) {
  const auto errors =
      test::matching_errors(view, matched.layer, view.statistics.context_queries.queries[0]);
  const auto theirs = expected[name + ".errors"];
  EXPECT_LT(((errors - theirs) / theirs.abs().clamp_min(1e-6)).abs().max().item<double>(),
            kErrorTolerance)
      << errors << theirs;
}

TEST_P(AttentionMatchingParity, HighestAttentionKeysMatchesAsTheAuthors) {
  const auto file = find();
  KVCAL_SKIP_IF_ABSENT(file, "golden/methods");
  const SafetensorsCase expected(file);
  const auto view = view_of(expected);
  for (auto [config, method] : highest_configs()) {
    for (const bool uses_qr : {false, true}) {
      for (const int64_t count : GetParam().counts) {
        const auto name = fmt::format("{}.t{}", config, count);
        SCOPED_TRACE(name + (uses_qr ? " QR" : " Cholesky"));
        method.params["uses_qr"] = uses_qr;
        method.params["forgets_bias"] = true;
        const auto matched = test::match(method, view, count);
        const bool is_sure =
            !expected.has(name + ".gap") || expected[name + ".gap"].item<double>() >= kSureMargin;
        if (!is_sure) continue;
        ASSERT_TRUE(at::equal(matched.keep.indices, sorted(expected[name + ".indices"])));
        expect_fit(matched, expected, name);
        expect_errors(matched, view, expected, name);
      }
    }
  }
}

TEST_P(AttentionMatchingParity, KeysAreScoredAsByTheAuthors) {
  const auto file = find();
  KVCAL_SKIP_IF_ABSENT(file, "golden/methods");
  const SafetensorsCase expected(file);
  const auto view = view_of(expected);
  for (const auto& [name, reduction, kernel] : {std::tuple{"rms", "rms", 1},
                                                {"max", "max", 1},
                                                {"mean", "mean", 1},
                                                {"mean_pool7", "mean", 7}}) {
    SCOPED_TRACE(name);
    const auto scores = test::score(
        {"top",
         {{"reduction", std::string(reduction)}, {"pool_kernel", static_cast<int64_t>(kernel)}}},
        view);
    EXPECT_TRUE(at::allclose(scores[0], expected[fmt::format("{}.key_scores", name)], 5e-5, 1e-9));
  }
}

/// The steps that follow the clamped fit, from where the authors' power iterations started.
TEST_P(AttentionMatchingParity, WeightsDescendAsTheAuthors) {
  const auto file = find();
  KVCAL_SKIP_IF_ABSENT(file, "golden/methods");
  const SafetensorsCase expected(file);
  const ReferenceAttention attention(view_of(expected), scaled_queries(expected),
                                     nothing(expected));
  const auto target = attend(attention);
  for (const std::string config : {"rms_nnls", "max_nnls"}) {
    for (const int64_t count : GetParam().counts) {
      const auto name = fmt::format("{}.t{}", config, count);
      SCOPED_TRACE(name);
      const auto indices = expected[name + ".indices"].unsqueeze(0);
      const auto logits = attention.logits(0, attention.rows(), indices);
      const auto e = (logits - target.maximum.unsqueeze(2)).exp().to(at::kDouble);
      const auto mass = target.mass.to(at::kDouble);
      const auto start = expected[fmt::format("power_start_t{}", count)].to(at::kDouble);
      const auto weights = descend(e, mass, clamped_fit(e, mass, kHighestBounds), kHighestBounds, 2,
                                   start.unsqueeze(0));
      EXPECT_LT((weights[0].log() - expected[name + ".beta"]).abs().max().item<double>(),
                kBetaTolerance);
    }
  }
}

TEST_P(AttentionMatchingParity, OmpMatchesAsTheAuthors) {
  const auto file = find();
  KVCAL_SKIP_IF_ABSENT(file, "golden/methods");
  const SafetensorsCase expected(file);
  const auto view = view_of(expected);
  for (auto [config, method] : omp_configs()) {
    for (const int64_t count : GetParam().counts) {
      const auto name = fmt::format("{}.t{}", config, count);
      SCOPED_TRACE(name);
      method.params["forgets_bias"] = true;
      const auto matched = test::match(method, view, count);
      if (expected[name + ".margins"].min().item<double>() < kSureMargin) continue;
      ASSERT_TRUE(at::equal(matched.keep.indices, sorted(expected[name + ".indices"])));
      expect_fit(matched, expected, name);
      expect_errors(matched, view, expected, name);
    }
  }
}

/// Chunks of 200 tokens, each fitted with all queries on its own keys.
TEST(AttentionMatchingChunks, AreCompactedAsTheAuthorsCompactEach) {
  const auto file = test::external_data("golden/methods/attention_matching_chunked.safetensors");
  KVCAL_SKIP_IF_ABSENT(file, "golden/methods");
  const SafetensorsCase expected(file);
  const SafetensorsCase input(
      test::external_data("golden/methods/attention_matching_real.safetensors"));
  const auto view = test::head_view(input["queries"], input["keys"], input["values"]);
  std::vector<CompactLayer> layers;
  std::vector<KeepSet> kept;
  std::vector<int64_t> starts;
  for (int64_t first = 0; first < view.tokens(); first += 200) {
    const int64_t count = std::min<int64_t>(200, view.tokens() - first);
    const auto matched = test::match({"top", {{"gradient_steps", int64_t{0}}}},
                                     slice(view, first, count), count / 10);
    starts.push_back(first);
    layers.push_back(matched.layer);
    kept.push_back(matched.keep);
  }
  const auto layer = concatenate(layers);
  EXPECT_TRUE(at::equal(concatenate(kept, starts).indices, expected["kept"]));
  EXPECT_LT((layer.bias - expected["beta"]).abs().max().item<double>(), kBetaTolerance);
  const auto values = expected["values"];
  EXPECT_LT((layer.values - values).abs().max().item<double>(),
            kValueTolerance * values.abs().max().item<double>());
  const auto errors = test::matching_errors(view, layer, input["queries"]);
  EXPECT_TRUE(at::allclose(errors, expected["errors"], kErrorTolerance));
}

/// The solvers alone.
class SolverParity : public testing::Test {
 protected:
  const SafetensorsCase case_{
      test::test_file("parity/compress/attention_matching_solvers.safetensors")};

  at::Tensor batch(const std::string& name) const {
    return case_[name].to(at::kDouble).unsqueeze(0);
  }
  void expect(const at::Tensor& got, const std::string& name) const {
    const auto expected = case_[name].to(at::kDouble);
    EXPECT_TRUE(at::allclose(got[0], expected, 1e-3, 1e-3 * expected.abs().max().item<double>()))
        << name << "\n"
        << got[0] << expected;
  }
};

TEST_F(SolverParity, WeightsAreThoseOfTheAuthors) {
  const auto m = batch("M"), y = batch("y"), start = batch("power_start");
  for (const bool uses_qr : {false, true}) {
    SCOPED_TRACE(uses_qr ? "QR" : "Cholesky");
    const LeastSquares options{.uses_qr = uses_qr};
    const auto clamped = clamped_fit(m, y, kHighestBounds, options);
    expect(clamped, "nnls_ha_0");
    expect(descend(m, y, clamped, kHighestBounds, 2, start), "nnls_ha");
    const auto wide = clamped_fit(m, y, kOmpBounds, options);
    expect(wide, "nnls_omp");
    const Bounds above{1e-12, 1e30};
    expect(descend(m, y, clamped_fit(m, y, above, options), above, 20, start), "nnls_pg20");
    expect(clamped_fit(batch("M_wide"), batch("y_wide"), kOmpBounds, options), "nnls_omp_wide");
  }
}

TEST_F(SolverParity, ValuesAreThoseOfTheAuthors) {
  const auto queries = batch("queries"), keys = batch("keys"), values = batch("values");
  const auto indices = case_["indices"];
  const double scale = 1 / std::sqrt(static_cast<double>(keys.size(2)));
  const auto all = at::matmul(queries, keys.transpose(1, 2)) * scale;
  const auto x = at::softmax(all.index_select(2, indices) + batch("beta"), 2);
  const auto y = at::matmul(at::softmax(all, 2), values);
  for (const bool uses_qr : {false, true}) {
    expect(solve_least_squares(x, y, {.uses_qr = uses_qr}), "values_lstsq");
    const int64_t few = 10;  // queries, the rank of their solution
    expect(solve_least_squares(x.narrow(1, 0, few), y.narrow(1, 0, few), {.uses_qr = uses_qr}),
           "values_lstsq_fewer_queries_than_keys");
  }
  for (const auto& [name, ridge] : {std::pair{"fixed", RidgeScale::absolute},
                                    {"frobenius", RidgeScale::frobenius},
                                    {"spectral", RidgeScale::spectral}}) {
    expect(solve_least_squares(x, y, {false, 1e-3, ridge}),
           fmt::format("values_cholesky_{}1e-3", name));
  }
}

}  // namespace
}  // namespace kvcal
