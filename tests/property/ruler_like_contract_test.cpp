// SPDX-License-Identifier: Apache-2.0
// Every RULER-like task of configs/tasks, at several lengths and seeds: what any of its samples
// must be.
#include <algorithm>
#include <cctype>

#include "kvcal/profile/engine.hpp"
#include "support/task_fixture.hpp"

namespace kvcal {
namespace {

std::vector<std::string> names() {
  std::vector<std::string> names;
  for (const KnownTask& task : known_tasks()) {
    if (task.name.starts_with("ruler_like:")) names.push_back(task.name);
  }
  return names;
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

/// With the tokenizer of the real model where it is there, else with bytes for tokens.
class RulerLikeContract : public testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<Task> open(double length, int64_t samples, uint64_t seed) const {
    const auto tokens = static_cast<int64_t>(length * tokens_per_unit());
    return open_task(GetParam(), {tokenizer, chat, 1'000'000, seed},
                     {{"length_tokens", {tokens, "test"}}, {"samples", {samples, "test"}}});
  }
  double tokens_per_unit() const { return is_real ? 1 : 4; }

  const bool is_real = !test::smollm2().empty();
  const Tokenizer& tokenizer = loaded();
  ChatFormat chat;

 private:
  static const Tokenizer& loaded() {
    static const Tokenizer tokenizer =
        test::smollm2().empty() ? test::byte_tokenizer() : Tokenizer::load(test::smollm2());
    return tokenizer;
  }
};

TEST_P(RulerLikeContract, prompt_and_reply_fill_the_length_and_never_pass_it) {
  for (const double length : {1000, 2300, 4200}) {
    for (const uint64_t seed : {0, 1}) {
      const auto task = open(length, 3, seed);
      for (int64_t i = 0; i < task->size(); ++i) {
        const Sample sample = task->sample(i);
        for (const auto visibility : {Visibility::aware, Visibility::agnostic}) {
          const auto prompt = tokenize_prompt(sample, chat, tokenizer, visibility);
          const auto tokens = static_cast<double>(prompt.total() + sample.max_new_tokens);
          EXPECT_LE(tokens, sample.length) << length << " tokens, sample " << i;
          EXPECT_GE(tokens, 0.7 * sample.length) << length << " tokens, sample " << i;
        }
      }
    }
  }
}

TEST_P(RulerLikeContract, the_context_holds_every_reference_and_the_question_none) {
  const auto task = open(1500, 6, 3);
  for (int64_t i = 0; i < task->size(); ++i) {
    const Sample sample = task->sample(i);
    ASSERT_FALSE(sample.references.empty());
    for (const auto& reference : sample.references) {
      EXPECT_NE(lower(sample.context).find(lower(reference)), std::string::npos) << reference;
      EXPECT_EQ(lower(sample.question + sample.answer_prefix).find(lower(reference)),
                std::string::npos)
          << reference;
    }
  }
}

TEST_P(RulerLikeContract, the_first_place_of_an_answer_is_not_always_the_same) {
  const bool is_list = GetParam().ends_with("cwe") || GetParam().ends_with("fwe");
  if (is_list) return;  // the words asked for are everywhere
  const auto task = open(1200, 20, 5);
  double first = 1, last = 0;
  for (int64_t i = 0; i < task->size(); ++i) {
    const Sample sample = task->sample(i);
    const auto at = static_cast<double>(sample.context.find(sample.references.front()));
    first = std::min(first, at / static_cast<double>(sample.context.size()));
    last = std::max(last, at / static_cast<double>(sample.context.size()));
  }
  EXPECT_LT(first, 0.45);
  EXPECT_GT(last, 0.6);
}

TEST_P(RulerLikeContract, a_sample_depends_on_its_number_and_the_seed_alone) {
  const auto whole = open(1100, 5, 9), again = open(1100, 5, 9), other = open(1100, 5, 10);
  std::set<std::string> contexts;
  for (int64_t i = whole->size() - 1; i >= 0; --i) {
    const Sample sample = whole->sample(i);
    EXPECT_EQ(sample.context, again->sample(i).context);
    EXPECT_EQ(sample.references, again->sample(i).references);
    contexts.insert(sample.context);
  }
  EXPECT_EQ(contexts.size(), 5u);
  EXPECT_NE(whole->sample(0).context, other->sample(0).context);
}

INSTANTIATE_TEST_SUITE_P(all, RulerLikeContract, testing::ValuesIn(names()), [](const auto& test) {
  return test.param.substr(test.param.find(':') + 1);
});

}  // namespace
}  // namespace kvcal
