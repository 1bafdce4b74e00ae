// SPDX-License-Identifier: Apache-2.0
// Every registered metric against the values of the Python packages that published scores come
// from.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "kvcal/profile/metric.hpp"
#include "support/paths.hpp"

namespace kvcal {
namespace {

constexpr double kTolerance =
    1e-9;  // The vectors are exact doubles; only the last bits may differ.

std::vector<nlohmann::json> cases_of(const std::filesystem::path& file, std::string_view metric) {
  std::vector<nlohmann::json> cases;
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) {
    auto one = nlohmann::json::parse(line);
    if (one.at("metric") == metric) cases.push_back(std::move(one));
  }
  return cases;
}

class MetricParity : public testing::TestWithParam<const MetricInfo*> {};

TEST_P(MetricParity, equals_the_golden_vectors) {
  const auto file = test::external_data("golden/metrics.jsonl");
  KVCAL_SKIP_IF_ABSENT(file, "golden/metrics.jsonl");
  const auto cases = cases_of(file, GetParam()->name);
  if (cases.empty()) GTEST_SKIP() << "no vectors for " << GetParam()->name;
  for (const auto& one : cases) {
    const auto prediction = one.at("prediction").get<std::string>();
    const auto references = one.at("references").get<std::vector<std::string>>();
    auto all_classes = one.value("all_classes", std::vector<std::string>());
    all_classes.resize(one.value("max_options", all_classes.size()));  // parse_choice counts them
    const auto& expected = one.at("expected");                         // null: it found no letter
    EXPECT_NEAR(GetParam()->score({prediction, references, all_classes}),
                expected.is_null() ? 0 : expected.get<double>(), kTolerance)
        << one.at("id");
  }
  RecordProperty("cases", static_cast<int>(cases.size()));
}

INSTANTIATE_TEST_SUITE_P(all, MetricParity,
                         testing::ValuesIn(metric_table().begin(), metric_table().end()),
                         [](const auto& test) { return std::string(test.param->name); });

}  // namespace
}  // namespace kvcal
