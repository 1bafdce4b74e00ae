// SPDX-License-Identifier: Apache-2.0
#include "../../libprofile/engine/teacher_forcing.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "support/paths.hpp"

namespace kvcal {
namespace {

// Sums in another order; f32, log-probabilities of size 1 to 20.
constexpr double kTolerance = 5e-5;

std::vector<int64_t> some_ids(int64_t count, int64_t start) {
  std::vector<int64_t> ids;
  for (int64_t i = 0; i < count; ++i) ids.push_back((start + i * 37) % 384);
  return ids;
}

/// Prompts of several lengths, every other one uncut in the tail.
struct Sequences {
  std::vector<CompactCache> caches;
  std::vector<BeforeAnswer> before;

  Sequences(const Model& model, size_t count) {
    caches.reserve(count);
    for (size_t i = 0; i < count; ++i) {
      auto prompt = model.make_cache(20);
      const auto ids = some_ids(5 + static_cast<int64_t>(i), static_cast<int64_t>(i));
      const auto logits = model.forward(ids, prompt, LogitsWanted::last);
      caches.push_back(i % 2 == 0 ? prompt.sealed(4) : std::move(prompt));
      before.push_back({&caches.back(), logits});
    }
  }
};

class TeacherForcing : public testing::Test {
 protected:
  const Model model_ = Model::load(test::test_file("parity/model/tiny_llama"), {.dtype = "f32"});
  const std::vector<std::vector<int64_t>> answers_ = {some_ids(90, 3), some_ids(1, 9),
                                                      some_ids(60, 70)};

  std::vector<AnswerRows> forced(std::span<const BeforeAnswer> before) const {
    std::vector<AnswerRows> all(before.size());
    force_answers(model_, before, answers_,
                  [&](size_t i, const AnswerRows& rows) { all[i] = rows; });
    return all;
  }
};

TEST_F(TeacherForcing, RowsAreThoseOfFeedingTheAnswerBehindThePrompt) {
  const Sequences sequences(model_, 2);
  const auto all = forced(sequences.before);
  for (size_t i = 0; i < 2; ++i) {
    for (size_t a = 0; a < answers_.size(); ++a) {
      auto cache = sequences.caches[i].branch(120);
      auto expected = sequences.before[i].first_logits;
      const auto fed = std::span(answers_[a]).first(answers_[a].size() - 1);
      if (!fed.empty()) {
        expected = at::cat({expected, model_.forward(fed, cache, LogitsWanted::all)});
      }
      const auto difference = (all[i][a] - at::log_softmax(expected, -1)).abs().max();
      EXPECT_LT(difference.item<double>(), kTolerance) << "sequence " << i << ", answer " << a;
    }
  }
}

TEST_F(TeacherForcing, ASequenceHasTheSameBitsAloneAndAmongOthers) {
  const Sequences sequences(model_, 9);  // more than one pass: 148 tokens each
  const auto together = forced(sequences.before);
  for (size_t i = 0; i < together.size(); ++i) {
    const auto alone = forced({&sequences.before[i], 1}).front();
    for (size_t a = 0; a < answers_.size(); ++a) {
      EXPECT_TRUE(at::equal(together[i][a], alone[a])) << "sequence " << i << ", answer " << a;
    }
  }
}

TEST_F(TeacherForcing, ACacheThatDiffersInOneLayerIsReadFromThereOnWithTheSameBits) {
  const Sequences sequences(model_, 3);
  for (const size_t of : {size_t{0}, size_t{1}}) {  // a prompt in the prefix, one in the tail
    const OneLayerForcing forcing(model_, sequences.before[of], answers_);
    for (int64_t layer = 0; layer < model_.config().layers; ++layer) {
      // Entries of another prompt, of another length.
      const std::vector<CompactLayer> prefixes(9, sequences.caches[2].layer(layer).prefix);
      auto cache = sequences.caches[of].branch(20);
      cache.replace_prefix(layer, prefixes.front());
      const BeforeAnswer before{&cache, sequences.before[of].first_logits};
      const auto expected = forced({&before, 1}).front();
      size_t seen = 0;
      forcing.force(layer, prefixes, [&](size_t i, const AnswerRows& rows) {
        EXPECT_EQ(i, seen++);
        for (size_t a = 0; a < answers_.size(); ++a) {
          EXPECT_TRUE(at::equal(rows[a], expected[a])) << "layer " << layer << ", answer " << a;
        }
      });
      EXPECT_EQ(seen, prefixes.size());
    }
  }
}

TEST_F(TeacherForcing, TheCachesAreLeftAsTheyWere) {
  const Sequences sequences(model_, 2);
  forced(sequences.before);
  EXPECT_EQ(sequences.caches[0].tail_tokens(), 0);
  EXPECT_EQ(sequences.caches[1].tail_tokens(), 6);
  EXPECT_EQ(sequences.caches[1].next_position(), 6);
}

}  // namespace
}  // namespace kvcal
