// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kvcal/compress/compactor.hpp"
#include "support/error_text.hpp"

namespace kvcal {
namespace {

/// Entry t of KV head k holds 10 k + t twice.
at::Tensor numbered(int64_t kv_heads, int64_t tokens) {
  const auto head = at::arange(kv_heads).mul(10).unsqueeze(1),
             token = at::arange(tokens).unsqueeze(0);
  return (head + token).to(at::kFloat).unsqueeze(2).expand({kv_heads, tokens, 2}).contiguous();
}

KeepSet keep_of(std::vector<int64_t> indices, std::vector<int64_t> offsets) {
  return {at::tensor(indices, at::kLong), at::tensor(offsets, at::kLong)};
}

TEST(Gather, CopiesTheKeptEntriesHeadByHead) {
  const auto keys = numbered(2, 4);
  const auto layer = gather(keys, keys + 100, keep_of({0, 3, 2}, {0, 2, 3}));
  EXPECT_TRUE(at::equal(layer.keys.select(1, 0), at::tensor({0.F, 3.F, 12.F})));
  EXPECT_TRUE(at::equal(layer.values.select(1, 1), at::tensor({100.F, 103.F, 112.F})));
  EXPECT_FALSE(layer.bias.defined());
  EXPECT_EQ(layer.bytes(), 2 * 3 * 2 * 4);
}

TEST(Gather, AHeadWithoutEntriesIsLegal) {
  const auto layer = gather(numbered(2, 4), numbered(2, 4), keep_of({1}, {0, 0, 1}));
  EXPECT_TRUE(at::equal(layer.keys, at::tensor({11.F, 11.F}).view({1, 2})));
}

TEST(Gather, ReadsViewsOfALongerBuffer) {
  const auto keys = numbered(2, 6).narrow(1, 0, 4);
  const auto layer = gather(keys, keys, keep_of({3, 3}, {0, 1, 2}));
  EXPECT_TRUE(at::equal(layer.keys.select(1, 0), at::tensor({3.F, 13.F})));
}

TEST(Gather, DoesNotHoldTheOldEntries) {
  auto keys = numbered(1, 4);
  const auto layer = gather(keys, keys, keep_of({0, 1, 2, 3}, {0, 4}));
  keys.zero_();
  EXPECT_EQ(layer.keys[3][0].item<float>(), 3);
  EXPECT_EQ(layer.keys.storage().nbytes(), 4U * 2 * 4);
}

TEST(Refer, NamesTheEntriesWhereTheyAre) {
  const auto keys = numbered(2, 6).narrow(1, 0, 4);  // two rows between the KV heads
  const auto keep = keep_of({0, 3, 2}, {0, 2, 3});
  const auto layer = refer(keys, keys + 100, keep);  // values without the gap: one layout needed
  EXPECT_FALSE(layer.rows.defined());
  const auto shared = refer(keys, keys, keep);
  EXPECT_TRUE(at::equal(shared.rows, at::tensor({0, 3, 8}, at::kInt)));
  EXPECT_EQ(shared.keys.const_data_ptr(), keys.const_data_ptr());
  EXPECT_EQ(shared.total_kept(), 3);
  EXPECT_EQ(shared.bytes(), gather(keys, keys, keep).bytes());
}

TEST(Refer, OwnEntriesAreThoseThatGatherCopies) {
  auto keys = numbered(2, 6).narrow(1, 0, 4), values = keys.add(100);
  values = at::cat({values, values}, 1).narrow(1, 0, 4);
  for (const auto& [k, v] : {std::pair(keys, keys), std::pair(keys, values)}) {
    const auto keep = keep_of({1, 2, 0, 3}, {0, 2, 4});
    const auto own = refer(k, v, keep).with_own_entries(), copied = gather(k, v, keep);
    EXPECT_FALSE(own.rows.defined());
    EXPECT_TRUE(at::equal(own.keys, copied.keys) && at::equal(own.values, copied.values));
    EXPECT_TRUE(at::equal(own.offsets, copied.offsets));
  }
}

TEST(Gather, RefusesIndicesBeyondTheTokens) {
  EXPECT_EQ(test::error_text(Kind::shape,
                             [] {
                               gather(numbered(1, 4), numbered(1, 4), keep_of({4}, {0, 1}));
                             }),
            "kept tokens span 4 .. 4, need 0 .. 3");
  EXPECT_EQ(test::error_text(Kind::shape,
                             [] {
                               gather(numbered(2, 4), numbered(2, 4), keep_of({0}, {0, 1}));
                             }),
            "keep set of 1 KV heads for keys of 2");
}

}  // namespace
}  // namespace kvcal
