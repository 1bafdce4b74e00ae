// SPDX-License-Identifier: Apache-2.0
#include "kernels/block_attention.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>

namespace kvcal {
namespace {

/// Enough for a fast product; over 32,000 columns the block of one group of 8 heads is 260 MB.
constexpr int64_t kRows = 256;

/// @param queries  [group, rows, head_dim] f32, the last rows of the tokens seen, scaled
/// @param keys     [seen, head_dim] f32
/// @param values   like keys
/// @return  [group, rows, head_dim]
at::Tensor attend_rows(const at::Tensor& queries, const at::Tensor& keys,
                       const at::Tensor& values) {
  const int64_t rows = queries.size(1), seen = keys.size(0);
  auto logits = at::matmul(queries, keys.t());  // [group, rows, seen]
  const auto future = at::ones({rows, rows}, queries.options().dtype(at::kBool)).triu(1);
  logits.narrow(2, seen - rows, rows)
      .masked_fill_(future, -std::numeric_limits<double>::infinity());
  return at::matmul(at::softmax(logits, -1), values);
}

}  // namespace

at::Tensor attend_by_blocks(const at::Tensor& queries, const at::Tensor& keys,
                            const at::Tensor& values, double scale) {
  const int64_t heads = queries.size(0), fresh = queries.size(1), kv_heads = keys.size(0);
  const int64_t group = heads / kv_heads, past = keys.size(1) - fresh;
  auto output = at::empty({fresh, heads, queries.size(2)}, queries.options());
  for (int64_t k = 0; k < kv_heads; ++k) {
    const auto key = keys[k].to(at::kFloat), value = values[k].to(at::kFloat);  // [seen, head_dim]
    const auto query = queries.narrow(0, k * group, group).to(at::kFloat) * scale;
    for (int64_t first = 0; first < fresh; first += kRows) {
      const int64_t rows = std::min(kRows, fresh - first), seen = past + first + rows;
      const auto block = attend_rows(query.narrow(1, first, rows), key.narrow(0, 0, seen),
                                     value.narrow(0, 0, seen));
      output.narrow(0, first, rows).narrow(1, k * group, group).copy_(block.transpose(0, 1));
    }
  }
  return output.flatten(1);
}

}  // namespace kvcal
