// SPDX-License-Identifier: Apache-2.0
// Allocators that split by layer (pyramid, cake) against KVCache-Factory, CompressKV and kvpress;
// see README.md.
#include <cmath>
#include <numeric>

#include "parity/compress/split_case.hpp"

namespace kvcal {
namespace {

using test::numbers;
using test::params_of;
using test::SafetensorsCase;

/// Entries of one KV head per layer.
std::vector<int64_t> by_layer(const at::Tensor& kept) {
  return numbers(kept.select(1, 0));
}

std::vector<int64_t> head_of(const at::Tensor& row, int64_t layers) {
  return numbers(row.narrow(0, 0, layers));
}

std::vector<int64_t> pyramid(const std::string& rule, const std::vector<int64_t>& cell) {
  const auto allocator =
      find_allocator("pyramid").make(params_of({{"rule", rule}, {"window_tokens", cell[3]}}));
  return by_layer(allocator->allocate(test::request_of(cell[0], 1, cell[1], cell[2])));
}

TEST(LayerSplitParity, PyramidRoundsAsKvCacheFactoryAndCompressKv) {
  const SafetensorsCase expected(test::test_file("parity/compress/pyramidkv_budgets.safetensors"));
  for (int64_t row = 0; row < expected["grid"].size(0); ++row) {
    SCOPED_TRACE(row);
    const auto cell = numbers(expected["grid"][row]);  // layers, tokens, budget, window
    if (cell[1] <= cell[2]) continue;                  // nothing to cut: not the allocator's case
    for (const std::string rule : {"kvf", "compresskv"}) {
      EXPECT_EQ(pyramid(rule, cell), head_of(expected[rule][row], cell[0])) << rule;
    }
  }
}

TEST(LayerSplitParity, PyramidRoundsAsKvpress) {
  const SafetensorsCase expected(test::test_file("parity/compress/pyramidkv_budgets.safetensors"));
  int64_t compared = 0;
  for (int64_t row = 0; row < expected["kvpress_grid"].size(0); ++row) {
    const auto cell = numbers(expected["kvpress_grid"][row]);  // layers, tokens, window
    const double budget =
        static_cast<double>(cell[1]) * (1 - expected["kvpress_ratio"][row].item<double>());
    if (std::abs(budget - std::round(budget)) > 1e-6) continue;  // budgets are integers here
    const auto got = pyramid("kvpress", {cell[0], cell[1], std::llround(budget), cell[2]});
    EXPECT_EQ(got, head_of(expected["kvpress"][row], cell[0])) << "row " << row;
    ++compared;
  }
  EXPECT_EQ(compared, 10);
}

/// Measures whose preference is the given one: entropy with exponent 1, shift 1.
std::vector<int64_t> cake(const at::Tensor& preference, int64_t tokens, int64_t budget) {
  std::vector<at::Tensor> measures;
  for (int64_t l = 0; l < preference.size(0); ++l) {
    measures.push_back(at::stack({preference[l].to(at::kDouble), at::ones({}, at::kDouble)}));
  }
  auto request = test::request_of(preference.size(0), 2, tokens, budget);
  request.measures = measures;
  return by_layer(
      find_allocator("cake").make(params_of({{"tau1", 1.0}, {"tau2", 1.0}}))->allocate(request));
}

TEST(LayerSplitParity, CakeBudgetsAreCompressKvsWhereTheseFitThePrompt) {
  const SafetensorsCase expected(test::test_file("parity/compress/cake_budgets.safetensors"));
  int64_t compared = 0, equal_to_cascade = 0;
  for (int64_t row = 0; row < expected["grid"].size(0); ++row) {
    SCOPED_TRACE(row);
    const auto cell = numbers(expected["grid"][row]);  // layers, budget, past
    const auto theirs = expected["budgets"][row].narrow(0, 0, cell[0]);
    if (cell[2] + 8 <= cell[1]) continue;  // nothing to cut
    const auto got = cake(expected["preference"][row].narrow(0, 0, cell[0]), cell[2] + 8, cell[1]);
    EXPECT_EQ(std::accumulate(got.begin(), got.end(), int64_t{0}), cell[1] * cell[0]);
    equal_to_cascade += got == head_of(expected["cascade_kept"][row], cell[0]);
    if (theirs.max().item<int64_t>() > cell[2]) continue;  // they lose what does not fit
    EXPECT_EQ(got, numbers(theirs + 8));
    ++compared;
  }
  // Of 24 rows 3 have nothing to cut and 4 are beyond the prompt; 16 end as the cascade does.
  EXPECT_EQ(compared, 17);
  EXPECT_EQ(equal_to_cascade, 16);
}

TEST(LayerSplitParity, CakeMeasuresAndSplitsAsCompressKv) {
  const auto file = test::external_data("golden/methods/cake_small.safetensors");
  KVCAL_SKIP_IF_ABSENT(file, "golden/methods");
  const SafetensorsCase expected(file);
  struct Case {
    std::string name;
    double tau1, tau2;
    int64_t budget;
  };
  for (const auto& [name, tau1, tau2, budget] :
       {Case{"t1.6_0.6", 1.6, 0.6, 64}, Case{"t1.0_1.0", 1, 1, 40},
        Case{"t0.8_0.5", .8, .5, 100}}) {
    SCOPED_TRACE(name);
    const auto allocator = find_allocator("cake").make(params_of({{"tau1", tau1}, {"tau2", tau2}}));
    std::vector<at::Tensor> measures, scores, preferences;
    for (int64_t l = 0; l < 4; ++l) {
      LayerView view;
      view.layer = l;
      view.queries = expected["queries"][l];
      view.keys = expected["keys"][l];
      measures.push_back(allocator->measure(view));
      scores.push_back(test::with_window(expected["scores"][l], 8));
      preferences.push_back(measures.back()[0].pow(1 / tau1) * measures.back()[1].pow(1 / tau2));
    }
    EXPECT_TRUE(
        at::allclose(at::stack(preferences), expected[name + ".preference"].to(at::kDouble), 1e-4));
    auto request = test::request_of(4, 2, 200, budget);
    request.scores = scores;
    request.measures = measures;
    const auto kept = allocator->allocate(request);  // [layers, kv_heads]
    EXPECT_EQ(by_layer(kept), numbers(expected[name + ".oneshot.kept_per_layer"]));
    EXPECT_EQ(by_layer(kept), numbers(expected[name + ".cascade.kept_per_layer"]));
    if (!expected.has(name + ".oneshot.kept")) continue;
    test::expect_ragged(select_top(at::cat(scores), kept.flatten()),
                        expected[name + ".oneshot.kept"], expected[name + ".oneshot.offsets"],
                        at::cat(scores));
  }
}

TEST(LayerSplitParity, CakeMeasuresARealLayerAndSplitsRealPreferencesAsCompressKv) {
  const auto file = test::case_file("cake", "real"), input = test::case_file("input", "real");
  KVCAL_SKIP_IF_ABSENT(file, "golden/methods");
  const SafetensorsCase expected(file);
  const auto view = test::view_of(SafetensorsCase(input));
  struct Case {
    std::string name;
    double tau1, tau2;
    int64_t budget;
  };
  for (const auto& [name, tau1, tau2, budget] :
       {Case{"t1.6_0.4_B128", 1.6, .4, 128}, Case{"t1.6_0.6_B64", 1.6, .6, 64},
        Case{"t1.0_0.8_B200", 1, .8, 200}}) {
    SCOPED_TRACE(name);
    const auto measure = find_allocator("cake").make({})->measure(view);
    const double preference = std::pow(measure[0].item<double>(), 1 / tau1) *
                              std::pow(measure[1].item<double>(), 1 / tau2);
    const auto theirs = expected[name + ".preference"];
    EXPECT_NEAR(preference / theirs[18].item<double>(), 1, 1e-4);
    EXPECT_EQ(cake(theirs, 600, budget), numbers(expected[name + ".oneshot.kept_per_layer"]));
  }
}

}  // namespace
}  // namespace kvcal
