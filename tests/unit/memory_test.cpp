// SPDX-License-Identifier: Apache-2.0
// What a sweep is predicted to take.
#include "kvcal/profile/memory.hpp"

#include <gtest/gtest.h>

#include "support/paths.hpp"

namespace kvcal {
namespace {

class MemoryTest : public testing::Test {
 protected:
  const ModelConfig config_ = read_model_config(test::test_file("parity/model/tiny_llama"));
  const Method snapkv_ = load_method("snapkv");
  const Method matching_ = load_method("am_highest_attention");
  const Budget tenth_ = Budget::parse("10%"), fifth_ = Budget::parse("20%");
  const PromptShape prompt_{.tokens = 1000, .tail_tokens = 50, .element_bytes = 2};
  const int64_t token_bytes_ = config_.layers * config_.kv_heads * config_.entry_bytes(2);

  /// An entry of the prompt that a variant refers to: its row, and its token in the keep set.
  const int64_t named_bytes_ = config_.layers * config_.kv_heads * (4 + 8);

  MemoryPlan plan(std::vector<Variant> variants) const {
    return predict_memory(config_, prompt_, variants);
  }
};

TEST_F(MemoryTest, CompactionsAreHeldWhateverIsDecoded) {
  const auto evicted =
      plan({{&snapkv_, &tenth_, Visibility::multi}, {&snapkv_, &fifth_, Visibility::multi}});
  EXPECT_EQ(evicted.compactions, 0);
  EXPECT_EQ(evicted.variants, 2 * 50 * token_bytes_ + (100 + 200) * named_bytes_);
  EXPECT_EQ(evicted.total() - evicted.least(), 50 * token_bytes_ + 100 * named_bytes_);
  const auto matched =
      plan({{&matching_, &tenth_, Visibility::multi}, {&matching_, &fifth_, Visibility::multi}});
  EXPECT_EQ(matched.compactions,
            (100 + 200) * (token_bytes_ + config_.layers * config_.kv_heads * 4));
  EXPECT_EQ(matched.variants, 2 * 50 * token_bytes_);
  EXPECT_EQ(matched.total() - matched.least(), 50 * token_bytes_);
}

TEST_F(MemoryTest, AWindowTakesWhatAPromptOfItsLengthTakes) {
  Method windowed = matching_;
  windowed.window_tokens = 200;
  const auto by_window = plan({{&windowed, &tenth_, Visibility::multi}});
  EXPECT_EQ(by_window.prompt, 200 * token_bytes_);
  const auto whole = plan({{&matching_, &tenth_, Visibility::multi}});
  EXPECT_EQ(whole.prompt, 2 * 1000 * token_bytes_);
  EXPECT_LT(by_window.statistics, whole.statistics);
  const auto both =
      plan({{&windowed, &tenth_, Visibility::multi}, {&matching_, &tenth_, Visibility::multi}});
  EXPECT_EQ(both.prompt, by_window.prompt + whole.prompt);
}

}  // namespace
}  // namespace kvcal
