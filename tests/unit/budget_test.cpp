// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/budget.hpp"

#include <gtest/gtest.h>

#include "kvcal/compress/error.hpp"

namespace kvcal {
namespace {

ModelConfig model() {
  ModelConfig config;
  config.layers = 2;
  config.kv_heads = 2;
  config.head_dim = 4;
  return config;  // an entry is 2 * 4 elements, so 16 bytes in bf16, 64 bytes a token in all
}

std::string error_of(std::string_view text) {
  try {
    Budget::parse(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Kind::config);
    return error.what();
  }
  return "no error";
}

TEST(Budget, TokensSharesAndBytesBecomeWholeTokensRoundedDown) {
  EXPECT_EQ(Budget::parse("128").tokens(1000, model(), 2), 128);
  EXPECT_EQ(Budget::parse("3%").tokens(1050, model(), 2), 31);
  EXPECT_EQ(Budget::parse("7%").tokens(100, model(), 2), 7);
  EXPECT_EQ(Budget::parse("12.5%").tokens(16, model(), 2), 2);
  EXPECT_EQ(Budget::parse("1KiB").tokens(1000, model(), 2), 16);
  EXPECT_EQ(Budget::parse("1kB").tokens(1000, model(), 2), 15);
  EXPECT_EQ(Budget::parse("1KiB").tokens(1000, model(), 4), 8);
}

TEST(Budget, ListsKeepTheirOrderAndText) {
  const auto budgets = parse_budgets("64,3%,8MiB");
  ASSERT_EQ(budgets.size(), 3u);
  EXPECT_EQ(budgets[1].text(), "3%");
}

TEST(Budget, AnythingElseIsRefusedWithTheThreeForms) {
  const std::string forms = "is not positive tokens (128), a share (3%) or bytes (8MiB)";
  for (const std::string text : {"", "0", "-3", "x", "3 %", "nan%", "1e999", "MiB"}) {
    EXPECT_EQ(error_of(text), "budget '" + text + "' " + forms);
  }
  EXPECT_EQ(error_of("12.5"), "budget '12.5' is not a whole number of tokens");
  EXPECT_EQ(error_of("101%"), "budget '101%' is more than the whole prompt, need <= 100%");
}

TEST(Budget, LessThanOneEntryIsAnError) {
  try {
    Budget::parse("1%").tokens(50, model(), 2);
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(
        error.what(),
        "budget 1% is 0.5 entries per layer and KV head for a prompt of 50 tokens, need >= 1");
  }
}

}  // namespace
}  // namespace kvcal
