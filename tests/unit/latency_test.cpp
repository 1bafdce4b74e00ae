// SPDX-License-Identifier: Apache-2.0
// Latency on a tiny random model: what is counted and in which order; times have no fixed value.
#include <gtest/gtest.h>

#include "engine/peak_memory.hpp"
#include "kvcal/profile/measure_latency.hpp"
#include "support/errors.hpp"
#include "support/tiny_model_fixture.hpp"

namespace kvcal {
namespace {

class LatencyTest : public test::TinyModelFixture {
 protected:
  const ProfileFacts facts_;
  const LatencyBench bench_{model_, tokenizer_, chat_, facts_};
  const Method full_ = load_method("full");
  const Method snapkv_ = load_method("snapkv");
  const Budget small_ = Budget::parse("16");

  Sample sample() const {
    Sample sample;
    sample.id = "a";
    sample.context = boats(12);
    sample.question = "Which boat left?";
    return sample;
  }
};

TEST_F(LatencyTest, CountsTheKeptBytesAndOrdersItsRepeats) {
  const auto& config = model_.config();
  for (const auto visibility : {Visibility::aware, Visibility::agnostic}) {
    const auto record = measure_latency(bench_, "task", sample(), {&snapkv_, &small_, visibility},
                                        {.new_tokens = 4, .repeats = 3});
    EXPECT_EQ(record.kept_bytes, 16 * config.layers * config.kv_heads * config.entry_bytes(4));
    EXPECT_EQ(record.prompt_tokens,
              tokenize_prompt(sample(), chat_, tokenizer_, visibility).total());
    EXPECT_EQ(record.budget, "16");
    EXPECT_EQ(record.repeats, 3);
    EXPECT_GT(record.ttft_min_s, 0);
    EXPECT_LE(record.ttft_min_s, record.ttft_s);
    EXPECT_LE(record.ttft_s, record.ttft_max_s);
    EXPECT_GT(record.compact_s, 0);
    EXPECT_LT(record.compact_s, record.ttft_max_s);
    EXPECT_GT(record.tokens_per_s_min, 0);
    EXPECT_LE(record.tokens_per_s_min, record.tokens_per_s_max);
  }
}

TEST_F(LatencyTest, TheFullCacheKeepsEveryToken) {
  const auto record = measure_latency(bench_, "task", sample(), {&full_, nullptr}, {4, 1});
  const auto& config = model_.config();
  EXPECT_EQ(record.kept_bytes,
            record.prompt_tokens * config.layers * config.kv_heads * config.entry_bytes(4));
  EXPECT_EQ(record.budget, "full");
}

TEST_F(LatencyTest, MoreTokensThanTheModelTakesAreRefused) {
  test::expect_error(Kind::input, "latency of task task, sample a, method full: ", [&] {
    measure_latency(bench_, "task", sample(), {&full_, nullptr}, {.new_tokens = 1'000'000});
  });
  test::expect_error(Kind::config, "0 repeats of 4 new tokens", [&] {
    measure_latency(bench_, "task", sample(), {&full_, nullptr}, {4, 0});
  });
}

TEST(PeakMemory, SeesWhatWasTouchedAndGivenBack) {
  constexpr size_t kBytes = 64 << 20;
  const PeakMemory memory;
  if (std::isnan(memory.rise_bytes())) GTEST_SKIP() << "the system does not tell";
  {
    const std::vector<char> block(kBytes, 1);
    asm volatile("" : : "r"(block.data()) : "memory");  // or the compiler leaves it out
  }
  EXPECT_GT(memory.rise_bytes(), 0.9 * kBytes);
  EXPECT_LT(memory.rise_bytes(), 1.5 * kBytes);
  EXPECT_LT(PeakMemory().rise_bytes(), 0.5 * kBytes) << "a new one starts anew";
}

}  // namespace
}  // namespace kvcal
