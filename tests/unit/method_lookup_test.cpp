// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "kvcal/compress/allocator.hpp"
#include "kvcal/compress/compactor.hpp"
#include "kvcal/compress/scorer.hpp"
#include "support/error_text.hpp"

namespace kvcal {
namespace {

TEST(MethodLookup, FindsByName) {
  EXPECT_EQ(find_scorer("snapkv").name, "snapkv");
  EXPECT_EQ(find_allocator("layer_error").name, "layer_error");
  EXPECT_EQ(find_compactor("gather").name, "gather");
}

TEST(MethodLookup, AnUnknownNameListsTheKnownOnesAndTheNearest) {
  const auto scorer = test::error_text(Kind::config, [] { find_scorer("snapvk"); });
  EXPECT_EQ(scorer.rfind("no scorer 'snapvk', did you mean 'snapkv'? (known: ", 0), 0U) << scorer;
  EXPECT_NE(scorer.find("random, "), std::string::npos) << scorer;
  const auto allocator = test::error_text(Kind::config, [] { find_allocator("zzzzzzzzzzzzz"); });
  EXPECT_EQ(allocator.rfind("no allocator 'zzzzzzzzzzzzz' (known: ", 0), 0U) << allocator;
}

}  // namespace
}  // namespace kvcal
