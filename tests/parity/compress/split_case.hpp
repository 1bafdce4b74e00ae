// SPDX-License-Identifier: Apache-2.0
// What the parity tests of allocators and selectors share: inputs, requests, ragged comparison.
#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <limits>

#include "kvcal/compress/allocator.hpp"
#include "kvcal/compress/selector.hpp"
#include "support/paths.hpp"
#include "support/random_layer.hpp"
#include "support/scorer_case.hpp"

namespace kvcal::test {

inline ParamMap params_of(const std::map<std::string, ParamValue>& values) {
  ParamMap params;
  for (const auto& [key, value] : values) params[key] = {value, "test"};
  return params;
}

inline std::vector<int64_t> numbers(const at::Tensor& tensor) {
  const auto flat = tensor.contiguous();
  const auto* begin = flat.const_data_ptr<int64_t>();
  return {begin, begin + flat.numel()};
}

/// Window 8, average pool 5: the scorer under most wrappers of the references. The mean over the
/// window rows, as kvpress has it.
inline at::Tensor snapkv_scores(const LayerView& view) {
  const auto scorer = make_scorer(
      "snapkv", {{"window_tokens", int64_t{8}}, {"pool_kernel", int64_t{5}}, {"pool", "avg"}});
  return scorer->score(view) / 8;
}

/// [kv_heads, past + window]: `past` [kv_heads, past] and protected window columns.
inline at::Tensor with_window(const at::Tensor& past, int64_t window) {
  const auto columns =
      at::full({past.size(0), window}, std::numeric_limits<double>::infinity(), past.options());
  return at::cat({past, columns}, 1);
}

/// Counts exact; indices too, or else the same sum of the finite scores, where pooling makes runs
/// of equal ones.
inline void expect_ragged(const KeepSet& keep, const at::Tensor& kept, const at::Tensor& offsets,
                          const at::Tensor& scores) {
  ASSERT_EQ(numbers(keep.offsets), numbers(offsets));
  for (int64_t k = 0; k < keep.kv_heads(); ++k) {
    const auto ours = keep.of_head(k);
    const auto theirs = KeepSet{kept, offsets}.of_head(k);
    if (at::equal(ours, theirs)) continue;
    const auto finite = scores[k].masked_fill(at::isinf(scores[k]), 0);
    EXPECT_TRUE(at::allclose(finite.index_select(0, ours).sum(),
                             finite.index_select(0, theirs).sum(), 1e-6))
        << "KV head " << k;
  }
}

inline KeepSet select(std::string_view selector, const ParamMap& params, const at::Tensor& scores,
                      const at::Tensor& measure, const at::Tensor& kept) {
  return find_selector(selector).make(params)->select({scores, measure, kept});
}

}  // namespace kvcal::test
