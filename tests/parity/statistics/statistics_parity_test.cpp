// SPDX-License-Identifier: Apache-2.0
// Statistics against scipy, statsmodels and numpy (versions in cases.json, made by make_cases.py).
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "kvcal/profile/area.hpp"
#include "kvcal/profile/comparison.hpp"
#include "support/paths.hpp"

namespace kvcal {
namespace {

nlohmann::json cases(const char* of) {
  std::ifstream file(test::test_file("parity/statistics/cases.json"));
  return nlohmann::json::parse(file).at(of);
}

constexpr double kExact = 1e-12;  // the same formula in doubles

/// A bound from 50,000 resamples has a standard error of 0.3 % of the interval's width
/// (sqrt(0.025 * 0.975 / 50,000) / density of a normal there); this is five of them.
constexpr double kShareOfWidth = 0.015;

void expect_interval(const Interval& found, const nlohmann::json& expected) {
  const double low = expected[0], high = expected[1];
  EXPECT_NEAR(found.low, low, kShareOfWidth * (high - low));
  EXPECT_NEAR(found.high, high, kShareOfWidth * (high - low));
}

TEST(StatisticsParity, PairedIntervalsAreThoseOfScipyOverClusters) {
  for (const auto& one : cases("pairs")) {
    const Pairs pairs{one["a"], one["b"], one["clusters"]};
    const Comparison found = compare(pairs, {.resamples = 50'000, .seed = 3});
    EXPECT_NEAR(found.delta, one["delta"].get<double>(), kExact);
    EXPECT_NEAR(found.ratio, one["ratio"].get<double>(), kExact);
    expect_interval(found.delta_interval, one["delta_interval"]);
    expect_interval(found.ratio_interval, one["ratio_interval"]);
  }
}

TEST(StatisticsParity, PValuesAreThoseOfScipysResamples) {
  constexpr int64_t kResamples = 50'000;
  for (const auto& one : cases("pairs")) {
    const Pairs pairs{one["a"], one["b"], one["clusters"]};
    const double found = compare(pairs, {.resamples = kResamples}).p_value;
    const double expected = one["p_value"];
    // Five standard errors of a count of rare events, and the one that is added.
    const double standard_error = 2 * std::sqrt(expected / 2 / kResamples);
    EXPECT_NEAR(found, expected, 5 * standard_error + 4.0 / kResamples);
    // The paired t-test asks the same; far out in the tails the two part.
    if (one["t_test_p"].is_null()) continue;
    const double t_test = one["t_test_p"];
    EXPECT_EQ(found < 0.001, t_test < 0.001);
    if (t_test > 0.001) {
      EXPECT_NEAR(found, t_test, 0.3 * t_test);
    }
  }
}

TEST(StatisticsParity, HolmIsThatOfStatsmodels) {
  for (const auto& one : cases("holm")) {
    const std::vector<double> p_values = one["p"], expected = one["adjusted"];
    const auto found = holm(p_values);
    ASSERT_EQ(found.size(), expected.size());
    for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], kExact);
  }
}

TEST(StatisticsParity, SpearmanWithTiesIsThatOfScipy) {
  const auto one = cases("spearman");
  const std::vector<double> a = one["a"], b = one["b"];
  EXPECT_NEAR(spearman(a, b), one["rho"].get<double>(), kExact);
}

TEST(StatisticsParity, AreasAreThoseOfNumpysTrapezoid) {
  const auto one = cases("area");
  const std::vector<double> x = one["x"], y = one["y"];
  const auto area = [&](double low, double high) {
    const auto weights = trapezoid_weights(x, low, high);
    double sum = 0;
    for (size_t i = 0; i < y.size(); ++i) sum += weights[i] * y[i];
    return sum;
  };
  EXPECT_NEAR(area(x.front(), x.back()), one["whole"].get<double>(), kExact);
  EXPECT_NEAR(area(one["low"], one["high"]), one["cut"].get<double>(), kExact);
}

}  // namespace
}  // namespace kvcal
