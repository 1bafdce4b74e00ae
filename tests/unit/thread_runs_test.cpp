// SPDX-License-Identifier: Apache-2.0
// Sequences that are fed at once on several threads: which thread gets which, and that none of it
// shows in the bits.
#include "model/thread_runs.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <numeric>

#include "kvcal/profile/model.hpp"
#include "support/paths.hpp"

namespace kvcal {
namespace {

TEST(ThreadRuns, EachSequenceIsInOneRunInOrder) {
  for (const int64_t threads : {1, 2, 3, 7, 64}) {
    for (const size_t sequences : {1, 2, 40, 200}) {
      std::vector<int64_t> costs(sequences);
      for (size_t i = 0; i < sequences; ++i) costs[i] = 1 + static_cast<int64_t>(i * 37 % 91);
      const auto runs = thread_runs(costs, 100 * static_cast<int64_t>(sequences), threads);
      EXPECT_LE(runs.size(), static_cast<size_t>(threads));
      size_t next = 0;
      for (const auto& run : runs) {
        EXPECT_EQ(run.first, next);
        EXPECT_GE(run.count, 1u);
        next += run.count;
      }
      EXPECT_EQ(next, sequences);
    }
  }
}

TEST(ThreadRuns, RunsAreAboutAsDearAsEachOther) {
  const std::vector<int64_t> alike(40, 7);
  const auto halves = thread_runs(alike, 40, 2);
  ASSERT_EQ(halves.size(), 2u);
  EXPECT_EQ(halves[0].count, 20u);
  // The full cache in front of what evicts.
  std::vector<int64_t> first_is_dear(40, 1);
  first_is_dear[0] = 20;
  const auto runs = thread_runs(first_is_dear, 40, 2);
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_NEAR(static_cast<double>(runs[0].count), 10, 1);
}

TEST(ThreadRuns, FewRowsStayTogether) {
  EXPECT_EQ(thread_runs(std::vector<int64_t>(8, 1), 8, 2).size(), 1u);
  EXPECT_EQ(thread_runs(std::vector<int64_t>(40, 1), 40, 8).size(), 1u);
  EXPECT_EQ(thread_runs(std::vector<int64_t>(40, 1), 40, 1).size(), 1u);
}

/// Sets the number of threads for a while: machines that run the tests have few, or one.
class Threads {
 public:
  explicit Threads(int count) : before_(at::get_num_threads()) { at::set_num_threads(count); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;
  ~Threads() { at::set_num_threads(before_); }

 private:
  int before_;
};

/// Sequences of a small random Llama, prompts of different lengths already read.
class ManySequences : public ::testing::Test {
 protected:
  static constexpr int64_t kSequences = 30;

  ManySequences() {
    for (int64_t i = 0; i < kSequences; ++i) {
      std::vector<int64_t> prompt(static_cast<size_t>(3 + i % 5));
      std::iota(prompt.begin(), prompt.end(), i);
      auto cache = model_.make_cache(16);
      model_.forward(prompt, cache, LogitsWanted::none);
      caches_.push_back(std::move(cache));
      ids_.push_back({100 + i, 200 + i, 300 + i});
    }
  }

  /// Of sequences first .. first + count - 1, from where the prompts end.
  at::Tensor together(int64_t first, int64_t count) {
    std::vector<CompactCache> branches;
    branches.reserve(kSequences);  // feeds point into it
    std::vector<Feed> feeds;
    for (int64_t i = first; i < first + count; ++i) {
      branches.push_back(caches_[static_cast<size_t>(i)].branch(16));
      feeds.push_back({ids_[static_cast<size_t>(i)], &branches.back()});
    }
    if (layer_ == 0) return model_.forward_together(feeds);
    const auto stream = model_.residual_stream(feeds);
    return model_.forward_from(layer_, stream[static_cast<size_t>(layer_)], feeds);
  }

  at::Tensor decoded(int64_t first, int64_t count) {
    std::vector<CompactCache> branches;
    branches.reserve(kSequences);
    std::vector<DecodeRow> rows;
    for (int64_t i = first; i < first + count; ++i) {
      branches.push_back(caches_[static_cast<size_t>(i)].branch(16));
      rows.push_back({ids_[static_cast<size_t>(i)].front(), &branches.back()});
    }
    const auto logits = model_.decode(rows);
    for (const auto& branch : branches)
      EXPECT_EQ(branch.tail_tokens(), caches_[static_cast<size_t>(first++)].tail_tokens() + 1);
    return logits;
  }

  Model model_ = Model::load(test::test_file("parity/model/tiny_llama"), {.dtype = "bf16"});
  std::vector<CompactCache> caches_;
  std::vector<std::vector<int64_t>> ids_;
  int64_t layer_ = 0;
};

TEST_F(ManySequences, HaveTheBitsThatEachHasAlone) {
  const Threads two(2);  // 30 rows: a run each
  const auto all = decoded(0, kSequences);
  for (int64_t i = 0; i < kSequences; ++i) EXPECT_TRUE(at::equal(all[i], decoded(i, 1)[0])) << i;
}

TEST_F(ManySequences, HaveThemWhereSeveralTokensAreFed) {
  const Threads two(2);
  for (layer_ = 0; layer_ < 2; ++layer_) {
    const auto all = together(0, kSequences);
    ASSERT_EQ(all.size(0), 3 * kSequences);
    for (int64_t i = 0; i < kSequences; ++i) {
      EXPECT_TRUE(at::equal(all.narrow(0, 3 * i, 3), together(i, 1))) << i;
    }
  }
}

TEST_F(ManySequences, AnErrorOfOneThreadIsThatOfTheCall) {
  const Threads two(2);
  ids_.back().front() = -1;
  EXPECT_THROW(together(0, kSequences), std::exception);
}

}  // namespace
}  // namespace kvcal
