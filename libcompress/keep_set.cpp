// SPDX-License-Identifier: Apache-2.0
#include "kvcal/compress/keep_set.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "kvcal/compress/error.hpp"

namespace kvcal {
namespace {

struct HeadScores {
  const float* values;
  int64_t tokens;
  int64_t kv_head;
};

void check_scores(const HeadScores& scores, int64_t kept) {
  require(kept >= 0 && kept <= scores.tokens, Kind::shape,
          "KV head {} should keep {} entries, need 0 .. {} (its tokens)", scores.kv_head, kept,
          scores.tokens);
  int64_t is_protected = 0;
  for (int64_t t = 0; t < scores.tokens; ++t) {
    require(!std::isnan(scores.values[t]), Kind::numeric,
            "score of token {} in KV head {} is NaN, need a number", t, scores.kv_head);
    is_protected += scores.values[t] == std::numeric_limits<float>::infinity();
  }
  require(is_protected <= kept, Kind::config,
          "KV head {} may keep {} entries but its scorer protects {}; need a budget >= {} tokens "
          "or fewer protected ones",
          scores.kv_head, kept, is_protected, is_protected);
}

/// Token indices of the `kept` best, ascending. The order (score, then earlier token) is total, so
/// the result does not depend on the algorithm.
/// @param values  room
void select_head(const HeadScores& scores, int64_t kept, std::vector<float>& values, int64_t* out) {
  if (kept == 0) return;
  const float* begin = scores.values;
  values.assign(begin, begin + scores.tokens);
  const auto last = values.begin() + kept - 1;
  std::nth_element(values.begin(), last, values.end(), std::greater<>());
  const float least = *last;
  const auto better = std::count_if(values.begin(), last, [&](float v) { return v > least; });
  int64_t ties = kept - better;
  for (int64_t token = 0; token < scores.tokens; ++token) {
    if (begin[token] > least || (begin[token] == least && ties-- > 0)) *out++ = token;
  }
}

}  // namespace

at::Tensor KeepSet::of_head(int64_t kv_head) const {
  const int64_t* bounds = offsets.const_data_ptr<int64_t>();
  return indices.narrow(0, bounds[kv_head], bounds[kv_head + 1] - bounds[kv_head]);
}

KeepSet select_top(const at::Tensor& scores, const at::Tensor& kept) {
  require(scores.dim() == 2 && scores.scalar_type() == at::kFloat, Kind::shape,
          "scores are {}-dimensional {}, need [kv_heads, tokens] f32", scores.dim(),
          c10::toString(scores.scalar_type()));
  const int64_t kv_heads = scores.size(0), tokens = scores.size(1);
  require(kept.dim() == 1 && kept.size(0) == kv_heads && kept.scalar_type() == at::kLong,
          Kind::shape, "kept counts have {} numbers of {}, need one i64 for each of {} KV heads",
          kept.numel(), c10::toString(kept.scalar_type()), kv_heads);
  const auto on_cpu = scores.to(at::kCPU).contiguous();  // [kv_heads, tokens]
  const auto counts = kept.to(at::kCPU).contiguous();    // [kv_heads]
  const int64_t* count = counts.const_data_ptr<int64_t>();

  const auto head = [&](int64_t k) {
    return HeadScores{on_cpu.const_data_ptr<float>() + k * tokens, tokens, k};
  };
  for (int64_t k = 0; k < kv_heads; ++k) check_scores(head(k), count[k]);

  KeepSet keep{at::empty({counts.sum().item<int64_t>()}, at::kLong),
               at::zeros({kv_heads + 1}, at::kLong)};
  int64_t* indices = keep.indices.mutable_data_ptr<int64_t>();
  int64_t* offsets = keep.offsets.mutable_data_ptr<int64_t>();
  std::vector<float> values;
  for (int64_t k = 0; k < kv_heads; ++k) {
    select_head(head(k), count[k], values, indices + offsets[k]);
    offsets[k + 1] = offsets[k] + count[k];
  }
  return keep;
}

}  // namespace kvcal
