// SPDX-License-Identifier: Apache-2.0
// Reference queries: a sample of query vectors that stand for those to come. Which tokens are drawn
// follows from their positions alone, and fewer are part of more: so a sample can stream, can start
// from another prompt's, and is the same whatever else was asked for.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace kvcal {

struct ReferenceQueries {
  at::Tensor queries;              ///< [heads, drawn, head_dim] after RoPE; undefined: not gathered
  std::vector<int64_t> positions;  ///< [drawn] of the tokens in their stream, ascending

  /// The sample of at most `count` tokens.
  ReferenceQueries drawn(int64_t count) const;

  /// Goes on with the tokens that follow, and draws `count` out of all.
  /// @param fresh  [heads, new, head_dim] at positions first, first + 1, ..
  void add(const at::Tensor& fresh, int64_t first, int64_t count);
};

}  // namespace kvcal
