// SPDX-License-Identifier: Apache-2.0
// Parts of the RULER-like tasks, and what each kind promises; the contract of all kinds is in
// tests/property.
#include "ruler/ruler_like.hpp"

#include <map>
#include <regex>
#include <sstream>

#include "dataset/json_lines.hpp"
#include "kvcal/profile/resources.hpp"
#include "ruler/haystack.hpp"
#include "ruler/lexicon.hpp"
#include "support/task_fixture.hpp"

namespace kvcal {
namespace {

using Texts = std::vector<std::string>;
using test::expect_error;

TEST(RulerDice, shuffles_and_draws_distinct_numbers_the_same_way_each_time) {
  ruler::Dice a(5), b(5), other(6);
  const auto drawn = a.distinct(20, 20);
  EXPECT_EQ(drawn, b.distinct(20, 20));
  EXPECT_NE(drawn, other.distinct(20, 20));
  EXPECT_EQ(std::set<int64_t>(drawn.begin(), drawn.end()).size(), 20u);
}

TEST(RulerLexicon, no_word_is_part_of_another_one) {
  const auto lexicon = ruler::Lexicon::load();
  Texts words = lexicon.adjectives;
  words.insert(words.end(), lexicon.nouns.begin(), lexicon.nouns.end());
  EXPECT_GE(words.size(), 500u);
  for (const auto& a : words) {
    for (const auto& b : words) {
      if (&a != &b) {
        EXPECT_EQ(b.find(a), std::string::npos) << a << ", " << b;
      }
    }
  }
}

TEST(RulerLexicon, compounds_follow_when_words_run_out_and_leave_the_first_ones_alone) {
  const ruler::Lexicon lexicon = {{"a", "b", "c"}, {"d", "e"}};
  ruler::Dice dice(1);
  const Texts words = ruler::distinct_words(dice, lexicon, 11, 2);  // 5 + 3 * 2
  EXPECT_EQ(std::set<std::string>(words.begin(), words.end()).size(), 11u);
  for (size_t i = 5; i < words.size(); ++i) {
    ASSERT_EQ(words[i].size(), 3u);
    EXPECT_NE(words[i][0], words[i][2]) << words[i];
    EXPECT_EQ(words[i].find(words[0]), std::string::npos);
    EXPECT_EQ(words[i].find(words[1]), std::string::npos);
  }
  expect_error(Kind::config, "12 different words asked for, 2 of them whole; the lexicon gives 11",
               [&] { ruler::distinct_words(dice, lexicon, 12, 2); });
}

TEST(RulerLexicon, numbers_and_uuids_have_their_shape) {
  ruler::Dice dice(2);
  const std::regex uuid("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}");
  for (int i = 0; i < 50; ++i) {
    EXPECT_TRUE(std::regex_match(ruler::draw_uuid(dice), uuid));
    EXPECT_TRUE(std::regex_match(ruler::draw_number(dice, 7), std::regex("[1-9][0-9]{6}")));
    EXPECT_TRUE(std::regex_match(ruler::draw_letters(dice, 5, 'A'), std::regex("[A-Z]{5}")));
  }
}

TEST(RulerHaystack, sentences_joined_are_the_text) {
  EXPECT_EQ(ruler::split_sentences("It was Mr. Low. Was it?  Yes!\n\nThe end"),
            (Texts{"It was Mr. Low. ", "Was it?  ", "Yes!\n\n", "The end"}));
  EXPECT_EQ(ruler::split_sentences("At 3.5 percent."), Texts{"At 3.5 percent."});
  EXPECT_TRUE(ruler::split_sentences("").empty());
  const std::string essays = ruler::load_essays();
  std::string joined;
  for (const auto& sentence : ruler::split_sentences(essays)) joined += sentence;
  EXPECT_EQ(joined, essays);
}

TEST(RulerHaystack, paragraphs_stand_between_blank_lines) {
  EXPECT_EQ(ruler::split_paragraphs("a\nb\n\nc\n\n\nd\n"), (Texts{"a\nb", "c", "d\n"}));
}

TEST(RulerHaystack, lines_are_woven_in_at_their_places) {
  const Texts pieces = {"a", "b"}, lines = {"1", "2", "3"};
  EXPECT_EQ(ruler::weave(pieces, lines, std::vector<int64_t>{0, 0, 2}), "12ab3");
  EXPECT_EQ(ruler::weave(pieces, lines, std::vector<int64_t>{1, 1, 1}), "a123b");
}

class RulerLikeTask : public test::TaskFixture {
 protected:
  Sample first(const std::string& kind, int64_t length) const {
    return open("ruler_like:" + kind, with("length_tokens", length))->sample(0);
  }
  static int64_t count(const std::string& text, const std::string& part) {
    int64_t found = 0;
    for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
      ++found;
    return found;
  }
  /// How often each word of a text comes.
  static std::map<std::string, int> counts(const std::string& text) {
    std::map<std::string, int> counts;
    std::istringstream stream(text);
    for (std::string word; stream >> word;) ++counts[word];
    return counts;
  }
};

TEST_F(RulerLikeTask, needles_of_each_kind_are_as_many_as_it_says) {
  const struct {
    const char* kind;
    int64_t needles;
    size_t references;
  } expected[] = {{"niah_single_1", 1, 1},   {"niah_single_2", 1, 1},   {"niah_single_3", 1, 1},
                  {"niah_multikey_1", 4, 1}, {"niah_multivalue", 4, 4}, {"niah_multiquery", 4, 4}};
  for (const auto& [kind, needles, references] : expected) {
    const Sample sample = first(kind, 6000);
    EXPECT_EQ(
        count(sample.context, " secret number of ") + count(sample.context, " secret uuid of "),
        needles)
        << kind;
    EXPECT_EQ(sample.references.size(), references) << kind;
    EXPECT_EQ(sample.max_new_tokens, 128) << kind;
  }
  EXPECT_GT(count(first("niah_multikey_2", 6000).context, " secret number of "), 50);
  EXPECT_EQ(first("niah_multikey_3", 6000).references.at(0).size(), 36u);
}

TEST_F(RulerLikeTask, a_chain_stands_in_order_behind_a_solved_example) {
  const Sample sample = first("vt", 6000);
  ASSERT_EQ(sample.references.size(), 5u);
  EXPECT_EQ(count(sample.context, "Question: Which variables"), 1);
  size_t at = sample.context.find("VAR " + sample.references[0] + " = ");
  for (size_t i = 1; i < 5; ++i) {
    const size_t next =
        sample.context.find("VAR " + sample.references[i] + " = VAR " + sample.references[i - 1]);
    EXPECT_NE(next, std::string::npos);
    EXPECT_LT(at, next);
    at = next;
  }
}

TEST_F(RulerLikeTask, only_the_first_of_several_chains_is_asked_for) {
  ParamMap params = with("chains", int64_t{3});
  params.merge(with("hops", int64_t{2}));
  const Sample sample = open("ruler_like:vt", params)->sample(0);
  EXPECT_EQ(count(sample.context, "VAR ") - count(sample.context, "= VAR "), 2 * 3 * 3);
  EXPECT_EQ(sample.references.size(), 3u);
  ParamMap longer = with("hops", int64_t{30});  // more lines than the example's passage has
  longer.merge(with("length_tokens", int64_t{20'000}));
  EXPECT_EQ(open("ruler_like:vt", longer)->sample(0).references.size(), 31u);
}

TEST_F(RulerLikeTask, common_words_come_more_often_than_the_others) {
  for (const auto& [length, common, other] : {std::tuple(4000, 6, 1), std::tuple(9000, 30, 3)}) {
    const Sample sample = first("cwe", length);
    const auto list = counts(sample.context.substr(sample.context.rfind("\n1. ")));
    ASSERT_EQ(sample.references.size(), 10u);
    for (const auto& [word, times] : list) {
      if (word.ends_with(".")) continue;
      const bool is_asked = std::find(sample.references.begin(), sample.references.end(), word) !=
                            sample.references.end();
      EXPECT_EQ(times, is_asked ? common : other) << word;
    }
  }
}

TEST_F(RulerLikeTask, frequent_words_follow_the_dots) {
  const Sample sample = first("fwe", 8000);
  const auto words = counts(sample.context.substr(sample.context.find("\n\n")));
  ASSERT_EQ(sample.references.size(), 3u);
  int before = words.at("...");
  for (const auto& reference : sample.references) {
    EXPECT_GT(before, words.at(reference));
    before = words.at(reference);
  }
  const auto as_frequent = [&](const auto& word) { return word.second >= before; };
  EXPECT_EQ(std::count_if(words.begin(), words.end(), as_frequent), 4);  // with the dots
}

TEST_F(RulerLikeTask, documents_hold_the_answer_once_and_others_come_again_when_all_are_used) {
  const Sample two = first("qa_2", 3000);
  EXPECT_EQ(count(two.context, "Harl Viaduct\nThe Harl"), 1);
  EXPECT_EQ(count(two.context, "Oswin Kettering\nOswin"), 1);
  EXPECT_EQ(two.metric, "ruler_string_match_part");
  const Sample long_one = first("qa_1", 100'000);
  std::map<std::string, int> documents;
  const std::regex heading("Document [0-9]+:\n([^\n]{1,60})");
  for (std::sregex_iterator at(long_one.context.begin(), long_one.context.end(), heading), end;
       at != end; ++at) {
    ++documents[at->str(1)];
  }
  EXPECT_EQ(documents.at("Harl Viaduct"), 1);
  EXPECT_GT(documents.size(), 100u);  // 40 of the collection, the others of the essays
  EXPECT_TRUE(std::any_of(documents.begin(), documents.end(),
                          [](const auto& document) { return document.second == 2; }));
}

TEST_F(RulerLikeTask, questions_of_ours_are_answered_by_one_paragraph_alone) {
  std::map<std::string, std::string> paragraphs;
  for (const JsonLine& line : read_json_lines(resource("data/qa/paragraphs.jsonl"))) {
    paragraphs[line.text("id")] = line.text("title") + "\n" + line.text("text");
  }
  EXPECT_GE(paragraphs.size(), 40u);
  for (const char* file : {"data/qa/one_hop.jsonl", "data/qa/two_hop.jsonl"}) {
    for (const JsonLine& question : read_json_lines(resource(file))) {
      for (const std::string& answer : question.texts("answers")) {
        for (const auto& [id, text] : paragraphs) {
          const bool answers = id == question.texts("paragraphs").back();
          EXPECT_EQ(text.find(answer) != std::string::npos, answers) << answer << " in " << id;
        }
        EXPECT_EQ(question.text("question").find(answer), std::string::npos) << answer;
      }
    }
  }
}

TEST_F(RulerLikeTask, faults_of_a_file_of_questions_are_named) {
  const auto expect_fault = [&](const std::string& part, const std::string& line) {
    const std::string file = test::written("q.jsonl", line).string();
    expect_error(Kind::input, part, [&] { open("ruler_like:qa_1", with("questions", file)); });
  };
  expect_fault("q.jsonl:1: field 'answers' is missing or empty", R"({"question": "Q?"})");
  expect_fault("q.jsonl:1: field 'paragraphs' is missing or empty",
               R"({"question": "Q?", "answers": ["a"]})");
  expect_fault("q.jsonl:1: field 'paragraphs' names 'nowhere', which is no paragraph's id",
               R"({"question": "Q?", "answers": ["a"], "paragraphs": ["nowhere"]})");
}

TEST_F(RulerLikeTask, lengths_that_hold_no_prompt_are_config_errors) {
  expect_error(Kind::config, "ruler_like_niah: length_tokens = 300, need ",
               [&] { first("niah_single_1", 300); });
  expect_error(Kind::config, " at least for sample 0, 128 of them new",
               [&] { first("niah_single_1", 300); });
  expect_error(Kind::config, "ruler_like_vt: length_tokens = 200000, but the model takes 100000",
               [&] { first("vt", 200'000); });
}

TEST_F(RulerLikeTask, parameters_that_contradict_are_config_errors) {
  const auto niah = [&](const std::string& name, int64_t value) {
    open("ruler_like_niah", with(name, value));
  };
  expect_error(Kind::config, "asked_keys = 2, need 1 .. 1 (keys)", [&] { niah("asked_keys", 2); });
  expect_error(Kind::config, "keys = 41, need 1 .. 40", [&] { niah("keys", 41); });
  ParamMap many = with("keys", int64_t{10});
  many.merge(with("values_per_key", int64_t{5}));
  expect_error(Kind::config, "keys * values_per_key = 50, need 40 or fewer",
               [&] { open("ruler_like_niah", many); });
  expect_error(Kind::config, "task ruler_like_qa takes no argument, got 'x'",
               [&] { open("ruler_like_qa:x"); });
}

}  // namespace
}  // namespace kvcal
