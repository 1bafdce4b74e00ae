// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/metric.hpp"

#include <gtest/gtest.h>

#include "kvcal/compress/error.hpp"

namespace kvcal {
namespace {

double score(std::string_view metric, std::string_view prediction,
             std::vector<std::string> references, std::vector<std::string> all_classes = {}) {
  return find_metric(metric).score({prediction, references, all_classes});
}

TEST(metric, qa_f1_forgets_case_punctuation_and_articles) {
  EXPECT_EQ(score("qa_f1_score", "The Paris.", {"paris"}), 1);
  EXPECT_EQ(score("qa_f1_score", "U.S. Navy", {"us navy"}), 1);
  EXPECT_EQ(score("qa_f1_score", "the", {"a"}), 0);
  EXPECT_EQ(score("qa_f1_score", "theory", {"ory"}), 0);
}

TEST(metric, qa_f1_is_the_harmonic_mean_and_takes_the_best_reference) {
  // 1 of 2 words predicted, 1 of 1 wanted: P = 1/2, R = 1.
  EXPECT_DOUBLE_EQ(score("qa_f1_score", "red boat", {"green", "boat"}), 2.0 / 3.0);
}

TEST(metric, qa_f1_lowers_as_unicode_asks) {
  EXPECT_EQ(score("qa_f1_score", "\u039F\u0394\u039F\u03A3", {"\u03BF\u03B4\u03BF\u03C2"}),
            1);  // final sigma
  EXPECT_EQ(score("qa_f1_score", "\u0130", {"i\u0307"}), 1);
  EXPECT_EQ(score("qa_f1_score", "x\u00A0y", {"x y"}), 1);  // no-break space splits
}

TEST(metric, rouge1_recall_counts_stems_of_the_reference) {
  EXPECT_EQ(score("niah_rouge1_recall", "eating sandwiches", {"Eat a sandwich."}), 2.0 / 3.0);
  EXPECT_EQ(score("niah_rouge1_recall", "a a a", {"a b a c"}), 0.5);
  // The irregular words of the extensions; happily gives happili, happy gives happi.
  EXPECT_EQ(score("niah_rouge1_recall", "happily dying skies", {"happy die sky"}), 2.0 / 3.0);
  EXPECT_EQ(score("niah_rouge1_recall", "x", {"..."}), 0);
}

TEST(metric, word_overlap_keeps_punctuation) {
  EXPECT_EQ(score("niah_word_overlap", "a sunny day", {"a sunny day."}), 2.0 / 3.0);
}

TEST(metric, ruler_looks_for_substrings_without_case) {
  EXPECT_EQ(score("ruler_string_match_all", "It is ABC and d.", {"abc", "x", "D"}), 66.67);
  EXPECT_EQ(score("ruler_string_match_part", "in NORMANDY", {"France", "normandy"}), 100);
  EXPECT_EQ(score("ruler_string_match_part", "", {"a"}), 0);
  // kvpress deletes control characters, so that lines are joined.
  EXPECT_EQ(score("ruler_string_match_part", "12\n34", {"1234"}), 0);
  EXPECT_EQ(score("ruler_string_match_part_kvpress", "12\n34", {"1234"}), 100);
  EXPECT_EQ(score("ruler_string_match_all_kvpress", " 12\t34 ", {"1234", "4 "}), 50);
}

TEST(metric, rouge_l_never_reaches_one) {
  EXPECT_NEAR(score("rouge_score", "one two. three", {"one two. three"}), 0.999999995, 1e-12);
  EXPECT_EQ(score("rouge_score", "...", {"one"}), 0);
  // Both end in ". ": a sentence of one empty word on either side, which matches.
  EXPECT_NEAR(score("rouge_score", "x. ", {"y. "}), 0.5, 1e-7);
}

TEST(metric, rouge_l_scores_zero_where_python_ends_its_recursion) {
  std::string many;
  for (int i = 0; i < 990; ++i) many += "w ";
  EXPECT_GT(score("rouge_score", many, {many}), 0.99);  // 990 moves + 1 call = 991
  EXPECT_EQ(score("rouge_score", many + "w", {many + "w"}), 0);
}

TEST(metric, classification_skips_the_class_behind_a_removed_one) {
  EXPECT_EQ(score("classification_score", "city or state", {"city"}, {"city", "state"}), 0.5);
  EXPECT_EQ(score("classification_score", "Other city", {"Other city"}, {"city", "Other city"}), 1);
  // "a" is removed, "ab" moves into its place and stays.
  EXPECT_EQ(score("classification_score", "abc", {"abc"}, {"a", "ab", "abc"}), 0.5);
}

TEST(metric, numbers_are_compared_as_strings) {
  EXPECT_EQ(score("count_score", "13 or 14", {"13"}), 0.5);
  EXPECT_EQ(score("count_score", "013", {"13"}), 0);
  EXPECT_EQ(score("retrieval_score", "Paragraph 7", {"Paragraph 7"}), 1);
  EXPECT_EQ(score("retrieval_score", "1,000", {"Paragraph 1"}), 0.5);
}

TEST(metric, a_retrieval_reference_without_a_paragraph_is_named) {
  try {
    score("retrieval_score", "1", {"Section 1"});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Kind::input);
    EXPECT_STREQ(error.what(),
                 "retrieval_score: reference 'Section 1' has no 'Paragraph' with a number");
  }
}

TEST(metric, code_similarity_takes_the_first_line_without_a_comment) {
  EXPECT_EQ(score("code_sim_score", "\n# note\nreturn x", {"return x"}), 1);
  EXPECT_EQ(score("code_sim_score", "ab", {"ac"}), 0.5);  // 1 - 2/4
  EXPECT_EQ(score("code_sim_score", "", {"x"}), 0);
}

TEST(metric, parse_choice_settles_on_a_letter) {
  EXPECT_EQ(score("parse_choice", "The answer is: D.", {"D"}), 1);
  EXPECT_EQ(score("parse_choice", "<think>unfinished A", {"A"}), 0);
  EXPECT_EQ(score("parse_choice", "E", {"E"}, {"A", "B", "C", "D", "E"}), 1);
  EXPECT_EQ(score("parse_choice", "E", {"E"}), 0);  // four options
  const auto is_parsed = find_metric("parse_choice").is_parsed;
  EXPECT_TRUE(is_parsed({"B", std::vector<std::string>{"A"}, {}}));
  EXPECT_FALSE(is_parsed({"no idea", std::vector<std::string>{"A"}, {}}));
}

TEST(metric, no_reference_scores_zero) {
  for (const MetricInfo* metric : metric_table())
    EXPECT_EQ(metric->score({"x", {}, {}}), 0) << metric->name;
}

TEST(metric, any_bytes_are_a_prediction) {
  const std::string damaged("\xFF\xC3(\xE2\x82 a\0b", 9);
  for (const MetricInfo* metric : metric_table()) {
    const std::vector<std::string> references = {"Paragraph 1"};
    if (metric->name == "parse_choice") continue;  // its references are letters
    const double value = metric->score({damaged, references, references});
    EXPECT_TRUE(value >= 0 && value <= metric->scale) << metric->name;
  }
}

TEST(metric, an_unknown_name_lists_the_known_and_the_nearest) {
  try {
    find_metric("qa_f1");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Kind::config);
    EXPECT_NE(std::string(error.what()).find("no metric 'qa_f1'"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("niah_rouge1_recall, "), std::string::npos);
  }
  EXPECT_THROW(find_metric(""), Error);
}

}  // namespace
}  // namespace kvcal
