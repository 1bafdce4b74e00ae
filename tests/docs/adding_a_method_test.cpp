// SPDX-License-Identifier: Apache-2.0
// Built from the code blocks of docs/adding-a-method.md: the scorer table of this program is
// generated from the extracted file alone.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "kvcal/compress/error.hpp"
#include "kvcal/compress/keep_set.hpp"
#include "kvcal/profile/method.hpp"

namespace kvcal {
namespace {

LayerView view_of(int64_t kv_heads, int64_t tokens) {
  LayerView view;
  view.queries = at::zeros({kv_heads, 0, 4});
  view.keys = view.values = at::zeros({kv_heads, tokens, 4});
  return view;
}

TEST(AddingAMethod, TheBuildFindsTheDocumentedScorer) {
  ASSERT_EQ(scorer_table().size(), 1u);
  EXPECT_EQ(scorer_table()[0]->name, "strided");
}

TEST(AddingAMethod, TheDocumentedYamlLoadsAndKeepsWhatTheTextSays) {
  const auto method = load_method(KVCAL_DOC_YAML);
  EXPECT_EQ(method.name, "strided");
  const auto scores = method.scorer->score(view_of(2, 32));
  EXPECT_EQ(scores[0][16].item<float>(), 1);
  EXPECT_EQ(scores[0][17].item<float>(), 0);
  EXPECT_TRUE(std::isinf(scores[1][24].item<float>()));
  const auto kept = select_top(scores, at::full({2}, 10, at::kLong));
  EXPECT_TRUE(
      at::equal(kept.of_head(0), at::tensor({0, 8, 24, 25, 26, 27, 28, 29, 30, 31}, at::kLong)));
}

}  // namespace
}  // namespace kvcal
