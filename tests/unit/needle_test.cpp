// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/needle.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/resources.hpp"
#include "needle/placement.hpp"
#include "support/byte_tokenizer.hpp"
#include "support/errors.hpp"
#include "support/files.hpp"
#include "support/paths.hpp"

namespace kvcal {
namespace {

namespace fs = std::filesystem;
using Ids = std::vector<int64_t>;

using test::expect_error;
using test::written;

TEST(needle_placement, compresskv_moves_back_to_a_period_and_depth_one_is_the_end) {
  const Ids context = {5, 9, 5, 5, 9, 5, 5, 5, 5, 5}, period = {9};
  EXPECT_EQ(compresskv_insertion(context, 1.0, period), 10);
  EXPECT_EQ(compresskv_insertion(context, 0.9, period), 5);
  EXPECT_EQ(compresskv_insertion(context, 0.5, period), 5);
  EXPECT_EQ(compresskv_insertion(context, 0.4, period), 2);
  EXPECT_EQ(compresskv_insertion(context, 0.1, period), 0);
  EXPECT_EQ(compresskv_insertion(context, 0.9, Ids{7}), 0);
}

TEST(needle_placement, a_sentence_ends_at_a_period_before_white_space) {
  EXPECT_TRUE(is_sentence_end(".", " The"));
  EXPECT_TRUE(is_sentence_end(" .", "\n"));
  EXPECT_TRUE(is_sentence_end(".\n", "The"));
  EXPECT_TRUE(is_sentence_end(".", ""));
  EXPECT_FALSE(is_sentence_end(".", "5"));
  EXPECT_FALSE(is_sentence_end("...", " The"));
  EXPECT_FALSE(is_sentence_end("", " The"));
}

TEST(needle_placement, titles_and_initials_end_no_sentence) {
  EXPECT_TRUE(ends_in_abbreviation("When Mr."));
  EXPECT_TRUE(ends_in_abbreviation("J."));
  EXPECT_TRUE(ends_in_abbreviation(" by T. S.\n"));
  EXPECT_FALSE(ends_in_abbreviation("So did I."));
  EXPECT_FALSE(ends_in_abbreviation("the farmer."));
  EXPECT_FALSE(ends_in_abbreviation("."));
}

TEST(needle_placement, boundaries_are_found_at_or_before_a_position) {
  const Ids boundaries = {3, 7};
  EXPECT_EQ(boundary_at_or_before(boundaries, 2), 0);
  EXPECT_EQ(boundary_at_or_before(boundaries, 3), 3);
  EXPECT_EQ(boundary_at_or_before(boundaries, 6), 3);
  EXPECT_EQ(boundary_at_or_before(boundaries, 70), 7);
}

TEST(needle_span, exact_windows_come_first) {
  const Ids prompt = {1, 2, 3, 4, 2, 4};
  EXPECT_EQ(find_exact(prompt, Ids{2, 4}).begin, 4);
  EXPECT_EQ(find_exact(prompt, Ids{2, 4}).end, 6);
  EXPECT_EQ(find_exact(prompt, Ids{4, 1}).size(), 0);
  EXPECT_EQ(find_exact(prompt, Ids{}).size(), 0);
}

TEST(needle_span, covering_needs_more_than_the_share) {
  Ids answer, prompt = {90, 91};
  for (int64_t id = 0; id < 10; ++id) answer.push_back(id);
  prompt.insert(prompt.end(), answer.begin(), answer.end());
  EXPECT_EQ(find_covering(prompt, answer, 0.9).begin, 2);  // 9 of 10 at begin 1 is not above 0.9
  EXPECT_EQ(find_covering(prompt, answer, 0.89).begin, 1);
  answer[0] = 77;  // one of ten missing: 0.9 is not above 0.9
  EXPECT_EQ(find_covering(prompt, answer, 0.9).size(), 0);
}

TEST(needle_span, a_window_cut_by_the_end_of_the_prompt_counts) {
  const TokenSpan span = find_covering(Ids{9, 1, 2}, Ids{1, 2, 2, 2}, 0.9);
  EXPECT_EQ(span.begin, 0);  // {9, 1, 2} covers {1, 2} already
  EXPECT_EQ(span.end, 3);
}

TEST(needle_files, our_own_needles_have_all_fields_and_do_not_mix) {
  const auto evaluation = load_needles(resource("data/needles/evaluation.jsonl"));
  const auto calibration = load_needles(resource("data/needles/calibration.jsonl"));
  EXPECT_GE(evaluation.size(), 10u);
  for (const auto* needles : {&evaluation, &calibration}) {
    for (const Needle& needle : *needles) {
      EXPECT_NE(needle.needle.find(needle.answer), std::string::npos) << needle.id;
      EXPECT_FALSE(needle.paraphrased_question.empty()) << needle.id;
    }
  }
  for (const Needle& a : evaluation) {
    for (const Needle& b : calibration) EXPECT_NE(a.needle, b.needle);
  }
}

TEST(needle_files, compresskv_names_the_answer_real_needle) {
  const auto file = written("n.jsonl", R"({"needle": "N.", "question": "Q?", "real_needle": "R"})");
  const auto needles = load_needles(file);
  ASSERT_EQ(needles.size(), 1u);
  EXPECT_EQ(needles[0].id, "needle-1");
  EXPECT_EQ(needles[0].answer, "R");
  EXPECT_EQ(needles[0].paraphrased_question, "");
}

TEST(needle_files, a_bad_line_is_named) {
  const auto good =
      std::string(R"({"id": "a", "needle": "N.", "question": "Q?", "answer": "A"})") + "\n";
  expect_error(Kind::input, "n.jsonl:2: not valid JSON at column",
               [&] { load_needles(written("n.jsonl", good + "{\"id\": ")); });
  expect_error(Kind::input, "n.jsonl:3: field 'id' is 'a', which",
               [&] { load_needles(written("n.jsonl", good + "\n" + good)); });
  expect_error(Kind::input, "n.jsonl:1: field 'answer' is missing, need a string",
               [&] { load_needles(written("n.jsonl", R"({"needle": "N.", "question": "Q?"})")); });
  expect_error(Kind::input, "n.jsonl:1: field 'needle' is a number, need a string",
               [&] { load_needles(written("n.jsonl", R"({"needle": 3})")); });
  expect_error(Kind::input, "n.jsonl: empty, need",
               [&] { load_needles(written("n.jsonl", "\n")); });
  expect_error(Kind::input, "cannot be read", [&] { load_needles("no/such/file.jsonl"); });
}

TEST(needle_files, each_folder_with_text_is_a_haystack) {
  const fs::path root = test::scratch_dir();
  fs::create_directories(root / "two");
  fs::create_directories(root / "empty");
  std::ofstream(root / "two" / "b.txt") << "B.";
  std::ofstream(root / "two" / "a.txt") << "A.";
  std::ofstream(root / "two" / "c.md") << "C.";
  const auto haystacks = load_haystacks(root);
  ASSERT_EQ(haystacks.size(), 1u);
  EXPECT_EQ(haystacks[0].name, "two");
  EXPECT_EQ(haystacks[0].text, "A.B.");
  expect_error(Kind::input, "no text found", [&] { load_haystacks(root / "empty"); });
  expect_error(Kind::input, "not a folder", [&] { load_haystacks(root / "none"); });
}

class NeedleContext : public testing::Test {
 protected:
  std::string fill(NeedleContextRequest request) const { return haystack.fill(needle, request); }

  Tokenizer tokenizer = test::byte_tokenizer();  // a byte a token
  Needle needle = {"n", "Zed eats.", "What?", "", "eats"};
  HaystackTokens haystack{tokenizer, {"h", "One is 1.5 m. Two is it. Three.\n"}};
};

TEST_F(NeedleContext, puts_the_needle_between_sentences) {
  // 50 tokens for all, 40 of them for the haystack.
  EXPECT_EQ(fill({.length_tokens = 50, .reserve_tokens = 0, .depth = 0}),
            "Zed eats. One is 1.5 m. Two is it. Three.");
  EXPECT_EQ(fill({.length_tokens = 50, .reserve_tokens = 0, .depth = 0.5}),
            "One is 1.5 m. Zed eats. Two is it. Three.");
  EXPECT_EQ(fill({.length_tokens = 50, .reserve_tokens = 0, .depth = 1}),
            "One is 1.5 m. Two is it. Three. Zed eats.");
}

TEST_F(NeedleContext, reads_the_haystack_in_a_circle_from_a_sentence_start) {
  EXPECT_EQ(fill({.length_tokens = 60, .reserve_tokens = 0, .depth = 0, .start_token = 5}),
            "Zed eats. Two is it. Three.\n\nOne is 1.5 m. Two is it.");
  EXPECT_EQ(fill({.length_tokens = 60, .reserve_tokens = 0, .depth = 0, .start_token = 5 + 2 * 33}),
            "Zed eats. Two is it. Three.\n\nOne is 1.5 m. Two is it.");
}

TEST_F(NeedleContext, keeps_the_length_and_the_whole_needle_at_any_depth_and_start) {
  for (int64_t length = 25; length < 130; length += 7) {
    for (double depth : {0.0, 0.11, 0.5, 0.99, 1.0}) {
      for (int64_t start : {0, 1, 13, 30, 32, 33, 1000}) {
        const std::string text = fill({length, 5, depth, start, Placement::sound});
        EXPECT_LE(static_cast<int64_t>(tokenizer.encode(text).size()), length - 5);
        EXPECT_NE(text.find("Zed eats."), std::string::npos) << text;
      }
    }
  }
}

TEST_F(NeedleContext, never_parts_a_title_from_its_name) {
  const HaystackTokens titles(tokenizer, {"titles", "One is it. But Mr. Lee is in."});
  EXPECT_EQ(titles.fill(needle, {.length_tokens = 50, .reserve_tokens = 0, .depth = 0.8}),
            "One is it. Zed eats. But Mr. Lee is in.");
}

TEST_F(NeedleContext, a_length_without_room_names_its_numbers) {
  expect_error(
      Kind::config,
      "a context of 210 tokens, 200 of them reserved, has no room for needle 'n' (10 tokens), "
      "need more than 210 tokens",
      [&] { fill({.length_tokens = 210}); });
  expect_error(Kind::config, "needle depth = 1.5, need 0 .. 1",
               [&] { fill({.length_tokens = 500, .depth = 1.5}); });
}

TEST_F(NeedleContext, text_without_sentences_is_cut_where_it_must_be) {
  const HaystackTokens plain(tokenizer, {"plain", "word word word word"});
  EXPECT_EQ(plain.fill(needle, {.length_tokens = 20, .reserve_tokens = 0, .depth = 0.5}),
            "Zed eats. word word");
  expect_error(Kind::input, "haystack 'blank' has no text", [&] {
    HaystackTokens(tokenizer, {"blank", " \n"});
  });
}

TEST(needle_context, compresskv_keeps_its_round_trips_with_bos) {
  const Tokenizer tokenizer = test::byte_tokenizer(true);
  const HaystackTokens haystack(tokenizer, {"h", "Aa. Bb. Cc. Dd."});
  const Needle needle = {"n", "Zed.", "What?", "", "Zed"};
  NeedleContextRequest request{16, 0, 1, 0, Placement::compresskv};
  // Encoded: <s> + 15 bytes = 16 tokens, not above the length. 11 of them and <s>Zed. (5) fit
  // into 16.
  EXPECT_EQ(haystack.fill(needle, request), "<s>Aa. Bb. Cc<s>Zed.");
  request.depth = 0.5;  // floor(11 / 2) = 5: <s>Aa. and a space; moved back behind the period
  EXPECT_EQ(haystack.fill(needle, request), "<s>Aa.<s>Zed. Bb. Cc");
  request.length_tokens = 15;  // cut, decoded with <s>, encoded with another one
  EXPECT_EQ(haystack.fill(needle, request), "<s><s>Aa.<s>Zed. Bb. ");
}

TEST(needle_context, compresskv_repeats_a_short_haystack) {
  const Tokenizer tokenizer = test::byte_tokenizer();
  const HaystackTokens haystack(tokenizer, {"h", "Aa."});
  const Needle needle = {"n", "Zed.", "What?", "", "Zed"};
  EXPECT_EQ(haystack.fill(needle, {14, 2, 0, 0, Placement::compresskv}), "Zed.Aa.Aa.Aa");
}

TEST(needle_context, the_answer_is_found_in_the_context) {
  const Tokenizer tokenizer = test::byte_tokenizer();
  const auto prompt = tokenizer.encode("He said: Zed eats. Zed EATS nuts.");
  EXPECT_EQ(find_answer_span(tokenizer, prompt, "Zed EATS", Placement::sound).begin, 18);
  EXPECT_EQ(find_answer_span(tokenizer, prompt, "Zed EATS", Placement::sound).end, 27);
  EXPECT_EQ(find_answer_span(tokenizer, prompt, "Qux", Placement::sound).size(), 0);
}

}  // namespace
}  // namespace kvcal
