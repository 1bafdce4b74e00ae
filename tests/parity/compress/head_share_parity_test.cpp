// SPDX-License-Identifier: Apache-2.0
// Attention Matching's head budgets against its authors' solver; see README.md.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <numeric>

#include "kvcal/compress/head_shares.hpp"
#include "support/paths.hpp"
#include "support/safetensors_case.hpp"

namespace kvcal {
namespace {

constexpr double kTolerance = 1e-9;

class HeadShareParity : public testing::Test {
 protected:
  const test::SafetensorsCase case_{
      test::test_file("parity/compress/head_budget_solver.safetensors")};
  const std::vector<double> targets_{0.01, 0.02, 0.05, 0.1};
  InfluenceCurves curves_;

  void SetUp() override {
    curves_.ratios = numbers("ratios");
    const auto curves = case_["curves"];  // [heads, points]
    for (int64_t h = 0; h < curves.size(0); ++h) {
      const auto row = curves[h].to(at::kDouble).contiguous();
      const double* begin = row.const_data_ptr<double>();
      curves_.losses.emplace_back(begin, begin + row.numel());
    }
  }
  std::vector<double> numbers(const std::string& name) const {
    const auto flat = case_[name].to(at::kDouble).contiguous();
    const double* begin = flat.const_data_ptr<double>();
    return {begin, begin + flat.numel()};
  }
  void expect(const std::vector<double>& got, const std::string& name) const {
    const auto expected = numbers(name);
    ASSERT_EQ(got.size(), expected.size());
    for (size_t h = 0; h < got.size(); ++h) {
      EXPECT_NEAR(got[h], expected[h], kTolerance) << name << ", head " << h;
    }
  }
};

TEST_F(HeadShareParity, SwapsSharesAsTheAuthors) {
  const std::vector<double> uniform(curves_.heads(), 1.0 / static_cast<double>(curves_.heads()));
  EXPECT_NEAR(average_loss(curves_, uniform, targets_), numbers("uniform.loss")[0], kTolerance);
  const auto plain = swap_shares(curves_, targets_);
  expect(plain, "swap_smooth0.shares");
  EXPECT_NEAR(average_loss(curves_, plain, targets_), numbers("swap_smooth0.loss")[0], kTolerance);
  const auto smooth = swap_shares(curves_.smoothed(5), targets_);
  expect(smooth, "swap_smooth5.shares");
  EXPECT_NEAR(average_loss(curves_, smooth, targets_), numbers("swap_smooth5.loss")[0], kTolerance);
}

TEST_F(HeadShareParity, SplitsOneRatioAsTheAuthors) {
  expect(swap_ratios(curves_, 0.05), "swap_at_0.05.ratios");
  expect(greedy_ratios(curves_, 0.05), "greedy_at_0.05.ratios");
}

/// The authors' loop gives excess to heads at the cap too and stops early: theirs may stay above
/// it.
TEST_F(HeadShareParity, CapsAsTheAuthorsWhereTheirsHolds) {
  const auto shares = numbers("swap_smooth0.shares");
  int64_t same = 0;
  for (const auto& [name, most_ratio, target] : {std::tuple{"cap0.3_target0.25", 0.3, 0.25},
                                                 {"cap0.5_target0.2", 0.5, 0.2},
                                                 {"cap1.0_target0.5", 1.0, 0.5}}) {
    SCOPED_TRACE(name);
    const double most = most_ratio / (target * static_cast<double>(shares.size()));
    const auto capped = cap_shares(shares, most);
    EXPECT_NEAR(std::accumulate(capped.begin(), capped.end(), 0.0), 1, kTolerance);
    for (const double share : capped) EXPECT_LE(share, most + kTolerance);
    const auto theirs = numbers(fmt::format("{}.shares", name));
    const double largest = *std::max_element(theirs.begin(), theirs.end());
    if (largest > most + kTolerance) continue;
    ++same;
    expect(capped, fmt::format("{}.shares", name));
  }
  EXPECT_GT(same, 0);
}

}  // namespace
}  // namespace kvcal
