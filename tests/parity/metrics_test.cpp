// SPDX-License-Identifier: Apache-2.0
// Every registered metric against the values of the Python packages that published scores come
// from.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "kvcal/profile/metric.hpp"
#include "kvcal/profile/resources.hpp"
#include "kvcal/profile/task.hpp"
#include "longbench/params.hpp"
#include "metrics/text/chinese_answer.hpp"
#include "metrics/text/jieba.hpp"
#include "metrics/text/overlap.hpp"
#include "metrics/text/rouge.hpp"
#include "metrics/text/unicode.hpp"
#include "support/paths.hpp"
#include "tasks/lookup/resolved_task.hpp"

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

/// Metrics that differ from a published one have their values in its vectors, in a field of their
/// own where they differ.
struct Vectors {
  std::string metric;
  std::string field = "expected";
};
const std::map<std::string_view, Vectors> kElsewhere = {
    {"code_sim_difflib_score", {"code_sim_score", "expected_difflib"}},
    {"ruler_string_match_all_kvpress", {"ruler_string_match_all"}},
    {"ruler_string_match_part_kvpress", {"ruler_string_match_part"}},
    {"rouge_score_unlimited", {"rouge_score", "expected_unlimited_recursion"}},
    {"rouge_zh_score_unlimited", {"rouge_zh_score", "expected_unlimited_recursion"}}};

std::filesystem::path jieba_data() {
  const auto file = resource("data") / "jieba" / "dict.txt";
  return std::filesystem::exists(file) ? file : std::filesystem::path();
}

class MetricParity : public testing::TestWithParam<const MetricInfo*> {};

TEST_P(MetricParity, equals_the_golden_vectors) {
  const auto file = test::external_data("golden/metrics.jsonl");
  KVCAL_SKIP_IF_ABSENT(file, "golden/metrics.jsonl");
  if (GetParam()->load != nullptr) {
    KVCAL_SKIP_IF_ABSENT(jieba_data(), "jieba's dictionary (./dev jieba)");
  }
  const auto elsewhere = kElsewhere.find(GetParam()->name);
  const Vectors vectors =
      elsewhere == kElsewhere.end() ? Vectors{std::string(GetParam()->name)} : elsewhere->second;
  const auto cases = cases_of(file, vectors.metric);
  EXPECT_FALSE(cases.empty()) << "no vectors for " << vectors.metric;
  for (const auto& one : cases) {
    const auto prediction = one.at("prediction").get<std::string>();
    const auto references = one.at("references").get<std::vector<std::string>>();
    auto all_classes = one.value("all_classes", std::vector<std::string>());
    all_classes.resize(one.value("max_options", all_classes.size()));  // parse_choice counts them
    const auto& expected = one.contains(vectors.field) ? one[vectors.field] : one.at("expected");
    EXPECT_NEAR(GetParam()->score({prediction, references, all_classes}),
                expected.is_null() ? 0 : expected.get<double>(), kTolerance)  // null: no letter
        << one.at("id");
  }
  RecordProperty("cases", static_cast<int>(cases.size()));
}

INSTANTIATE_TEST_SUITE_P(all, MetricParity,
                         testing::ValuesIn(metric_table().begin(), metric_table().end()),
                         [](const auto& test) { return std::string(test.param->name); });

std::vector<std::u32string> tokens_of(const nlohmann::json& list) {
  std::vector<std::u32string> tokens;
  for (const auto& token : list) tokens.push_back(text::code_points(token.get<std::string>()));
  return tokens;
}

/// Calls `check` with each text of the Chinese cases and the tokens that jieba made of it.
void for_each_segmented(
    const std::filesystem::path& file,
    const std::function<void(const std::string&, const std::vector<std::u32string>&)>& check) {
  for (const char* metric : {"qa_f1_zh_score", "rouge_zh_score"}) {
    for (const auto& one : cases_of(file, metric)) {
      SCOPED_TRACE(one.at("id"));
      check(one.at("prediction"), tokens_of(one.at("jieba").at("prediction")));
      for (size_t i = 0; i < one.at("references").size(); ++i) {
        check(one["references"][i], tokens_of(one["jieba"]["references"][i]));
      }
    }
  }
}

TEST(Jieba, cuts_every_text_of_the_golden_vectors_as_the_package_does) {
  const auto file = test::external_data("golden/metrics.jsonl");
  KVCAL_SKIP_IF_ABSENT(file, "golden/metrics.jsonl");
  KVCAL_SKIP_IF_ABSENT(jieba_data(), "jieba's dictionary (./dev jieba)");
  for_each_segmented(file, [](const std::string& text, const auto& tokens) {
    EXPECT_EQ(text::Jieba::shared().cut(text::code_points(text)), tokens);
  });
}

TEST(ChineseMetrics, score_given_tokens_as_longbench_does) {
  const auto file = test::external_data("golden/metrics.jsonl");
  KVCAL_SKIP_IF_ABSENT(file, "golden/metrics.jsonl");
  for (const char* metric : {"qa_f1_zh_score", "rouge_zh_score"}) {
    for (const auto& one : cases_of(file, metric)) {
      const auto predicted = tokens_of(one.at("jieba").at("prediction"));
      double best = 0;
      for (const auto& reference : one.at("jieba").at("references")) {
        const auto wanted = tokens_of(reference);
        const bool is_f1 = metric == std::string_view("qa_f1_zh_score");
        best = std::max(best,
                        is_f1 ? text::chinese_answer_f1(predicted, wanted)
                              : text::rouge_l(text::join(predicted, U' '), text::join(wanted, U' '),
                                              text::kPythonCallLimitZh));
      }
      EXPECT_NEAR(best, one.at("expected").get<double>(), kTolerance) << one.at("id");
    }
  }
}

/// eval.py's scorer on one sample: first-line rule, best reference, rounding.
TEST(LongbenchScorer, equals_the_golden_vectors_by_what_our_yaml_says_of_a_dataset) {
  const auto file = test::external_data("golden/metrics.jsonl");
  KVCAL_SKIP_IF_ABSENT(file, "golden/metrics.jsonl");
  for (const auto& one : cases_of(file, "longbench_scorer")) {
    const auto dataset = one.at("dataset").get<std::string>();
    const auto params = read_params<LongbenchParams>(resolve_task("longbench:" + dataset).params);
    Sample sample;
    sample.metric = params.metric;
    sample.scores_first_line = params.scores_first_line;
    sample.references = one.at("references").get<std::vector<std::string>>();
    sample.all_classes = one.value("all_classes", std::vector<std::string>());
    const double score = score_prediction(sample, one.at("prediction").get<std::string>());
    EXPECT_EQ(text::round_to_hundredths(100 * score), one.at("expected").get<double>())
        << one.at("id");
  }
}

}  // namespace
}  // namespace kvcal
