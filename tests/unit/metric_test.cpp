// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/metric.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "kvcal/compress/error.hpp"
#include "metrics/text/difflib.hpp"
#include "metrics/text/jieba.hpp"
#include "metrics/text/rouge.hpp"
#include "metrics/text/unicode.hpp"
#include "support/errors.hpp"
#include "support/paths.hpp"

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

TEST(metric, rouge_ends_one_call_earlier_for_chinese) {
  // One word matches; the trace back makes a move for each word of the prediction and one call
  // more.
  const auto with_words = [](int words) {
    std::u32string text = U"same";
    for (int i = 1; i < words; ++i) text += U" x";
    return text;
  };
  const auto rouge = [&](int words, int64_t limit) {
    return text::rouge_l(with_words(words), U"same", limit);
  };
  EXPECT_GT(rouge(990, text::kPythonCallLimit), 0);
  EXPECT_EQ(rouge(991, text::kPythonCallLimit), 0);
  EXPECT_GT(rouge(989, text::kPythonCallLimitZh), 0);
  EXPECT_EQ(rouge(990, text::kPythonCallLimitZh), 0);
  EXPECT_GT(rouge(3000, text::kNoCallLimit), 0);
}

TEST(metric, retrieval_looks_for_the_paragraph_in_chinese) {
  EXPECT_EQ(score("retrieval_zh_score", "\u6BB5\u843D12", {"\u6BB5\u843D12"}), 1);
  EXPECT_EQ(score("retrieval_zh_score", "1 2", {"\u6BB5\u843D2"}), 0.5);
}

TEST(metric, difflib_takes_long_blocks_and_forgets_frequent_characters) {
  EXPECT_EQ(text::difflib_ratio(U"", U""), 1);
  EXPECT_EQ(text::difflib_ratio(U"abxcd", U"abcd"), 8.0 / 9.0);
  // The longest block "cde" leaves the other "ab" on the wrong side.
  EXPECT_EQ(text::difflib_ratio(U"abcde", U"cdeab"), 0.6);
  const std::u32string line(200, U'a');
  EXPECT_EQ(text::difflib_ratio(line.substr(1), line.substr(1)), 1);
  EXPECT_EQ(text::difflib_ratio(U"b" + line, line), 0);  // from 200 on, a is no anchor
}

/// A few words and a table in which any two characters make a word.
std::filesystem::path small_jieba() {
  const auto folder = test::scratch_dir();
  std::ofstream(folder / "dict.txt")
      << "\u4E2D\u56FD 100 n\n\u4E2D 5 n\n\u56FD\u4EBA 3 n\nab 2 n\n";
  std::ofstream(folder / "hmm.json") << R"({"start": {"B": 0, "E": -9, "M": -9, "S": -5},
    "trans": {"B": {"E": 0, "M": -9}, "E": {"B": 0, "S": -5}, "M": {"E": 0, "M": -9},
              "S": {"B": 0, "S": -5}},
    "emit": {"B": {"\u5F20": 0}, "E": {"\u4E09": 0}, "M": {}, "S": {}}})";
  return folder;
}

TEST(jieba, cuts_by_the_dictionary_and_finds_unknown_words_by_the_model) {
  const text::Jieba jieba(small_jieba());
  const auto cut = [&](const std::u32string& text) {
    return text::to_utf8(text::join(jieba.cut(text), U'/'));
  };
  EXPECT_EQ(cut(U"\u4E2D\u56FD\u4EBA"), "\u4E2D\u56FD/\u4EBA");
  EXPECT_EQ(cut(U"\u5F20\u4E09\u4E2D\u56FD"), "\u5F20\u4E09/\u4E2D\u56FD");
  EXPECT_EQ(cut(U"ab3.5% x\r\n\uFF0C"), "ab/3.5%/ /x/\r\n/\uFF0C");
  EXPECT_EQ(cut(U""), "");
}

TEST(jieba, damaged_files_are_named) {
  const auto folder = small_jieba();
  const auto load = [&] { text::Jieba jieba(folder); };
  std::ofstream(folder / "hmm.json") << "{}";
  test::expect_error(Kind::input, "hmm.json: not jieba's tables", load);
  std::ofstream(folder / "dict.txt") << "ab 3 n\nword\n";
  test::expect_error(Kind::input, "dict.txt:2: 'word', need `word frequency tag`", load);
  std::filesystem::remove(folder / "dict.txt");
  test::expect_error(Kind::input, "dict.txt: cannot be read", load);
}

TEST(metric, a_retrieval_reference_without_a_paragraph_is_named) {
  try {
    score("retrieval_score", "1", {"Section 1"});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Kind::input);
    EXPECT_STREQ(error.what(), "reference 'Section 1' has no 'Paragraph ' with a number");
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
    const std::vector<std::string> references = {"Paragraph 1, \u6BB5\u843D1"};
    if (metric->name == "parse_choice") continue;  // its references are letters
    if (metric->load != nullptr) continue;         // needs jieba's dictionary
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
