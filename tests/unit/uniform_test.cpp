// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kvcal/compress/allocator.hpp"
#include "support/error_text.hpp"
#include "support/random_layer.hpp"

namespace kvcal {
namespace {

TEST(Uniform, EveryHeadKeepsTheBudget) {
  const auto request = test::request_of(2, 3, 100, 40);
  const auto kept = find_allocator("uniform").make({})->allocate(request);
  EXPECT_TRUE(at::equal(kept, at::full({2, 3}, 40, at::kLong)));
}

TEST(Uniform, RefusesABudgetBeyondThePrompt) {
  EXPECT_EQ(
      test::error_text(
          Kind::config,
          [] { find_allocator("uniform").make({})->allocate(test::request_of(2, 3, 100, 101)); }),
      "budget_tokens = 101, need 1 .. 100 (prompt tokens)");
}

}  // namespace
}  // namespace kvcal
