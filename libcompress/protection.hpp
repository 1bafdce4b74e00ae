// SPDX-License-Identifier: Apache-2.0
// Tokens that are kept whatever their score: the first ones (attention sinks) or the last ones get
// +inf. Not a scorer.
#pragma once

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>

namespace kvcal {

/// @param scores  [.., tokens], changed in place
/// @param count   all tokens where there are fewer
inline void protect_first_(const at::Tensor& scores, int64_t count) {
  const int64_t tokens = scores.size(-1);
  scores.narrow(-1, 0, std::min(count, tokens)).fill_(std::numeric_limits<double>::infinity());
}

inline void protect_last_(const at::Tensor& scores, int64_t count) {
  const int64_t tokens = scores.size(-1), last = std::min(count, tokens);
  scores.narrow(-1, tokens - last, last).fill_(std::numeric_limits<double>::infinity());
}

}  // namespace kvcal
