// SPDX-License-Identifier: Apache-2.0
// What each key column gets from all the query rows of a chunk: sums and maxima of the causal
// softmax. The CPU has kernels of its own, CUDA one for sums; what is here is made of ATen
// operators and runs on every device. A block of rows is turned into probabilities, reduced over
// its rows and forgotten; on the CPU one task is one head, which goes through its blocks in order:
// same bytes on any number of threads.
#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <limits>

#include "kernels/backend.hpp"
#include "kvcal/compress/error.hpp"
#include "kvcal/compress/kernels.hpp"
#include "kvcal/compress/parallel.hpp"

namespace kvcal {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
/// Query rows whose probabilities are held at once: enough for a fast matrix product, and a block
/// over 8,000 columns still is 2 MB.
constexpr int64_t kBlockRows = 64;

void check_columns(const at::Tensor& queries, const at::Tensor& keys) {
  require(queries.dim() == 3 && keys.dim() == 3 && queries.size(0) % keys.size(0) == 0 &&
              queries.size(2) == keys.size(2) && queries.size(1) <= keys.size(1),
          Kind::shape,
          "queries {} and keys {} do not fit, need [heads, new, head_dim] and [kv_heads, seen, "
          "head_dim] with new <= seen",
          fmt::join(queries.sizes(), " x "), fmt::join(keys.sizes(), " x "));
}

/// first_row, and [rows, past + first_row + rows] f32: the probabilities of these query rows for
/// all the columns that one of them sees. The tensor is the callee's until it returns.
using UseBlock = std::function<void(int64_t, at::Tensor&)>;

/// The rows of one head, block by block.
/// @param queries  [new, head_dim] f32, times the scale of the logits
/// @param keys     [seen, head_dim] f32
void for_each_block(const at::Tensor& queries, const at::Tensor& keys, const UseBlock& use) {
  const int64_t fresh = queries.size(0), past = keys.size(0) - fresh;
  const int64_t most_rows = std::min(kBlockRows, fresh);
  const auto room = at::empty({most_rows * keys.size(0)}, queries.options());
  const auto future = at::ones({most_rows, most_rows}, queries.options().dtype(at::kBool)).triu(1);
  for (int64_t first = 0; first < fresh; first += kBlockRows) {
    const int64_t rows = std::min(kBlockRows, fresh - first), columns = past + first + rows;
    auto block = room.narrow(0, 0, rows * columns).view({rows, columns});
    at::mm_out(block, queries.narrow(0, first, rows), keys.narrow(0, 0, columns).t());
    block.narrow(1, columns - rows, rows)
        .masked_fill_(future.narrow(0, 0, rows).narrow(1, 0, rows), -kInfinity);
    at::softmax_out(block, block, 1);
    use(first, block);
  }
}

/// Calls use(head, first_row, probabilities) for all blocks of all heads, those of a head in order.
template <class Use>
void for_each_head(const at::Tensor& queries, const at::Tensor& keys, double scale, Use use) {
  const int64_t heads = queries.size(0), group = heads / keys.size(0);
  const auto entries = keys.to(at::kFloat);  // [kv_heads, seen, head_dim]
  const auto task = [&](int64_t head) {
    const auto rows = queries[head].to(at::kFloat) * scale;  // [new, head_dim]
    for_each_block(rows, entries[head / group],
                   [&](int64_t first, at::Tensor& block) { use(head, first, block); });
  };
  if (queries.is_cpu()) return parallel_tasks(heads, task);
  for (int64_t head = 0; head < heads; ++head) task(head);
}

}  // namespace

void add_column_sums(const at::Tensor& queries, const at::Tensor& keys, double scale,
                     at::Tensor& sums) {
  require(sums.dim() == 2 && sums.scalar_type() == at::kFloat && sums.size(0) == queries.size(0) &&
              sums.size(1) >= keys.size(1),
          Kind::shape, "column sums are {} of {}, need f32 of {} heads and at least {} tokens",
          c10::toString(sums.scalar_type()), fmt::join(sums.sizes(), " x "), queries.size(0),
          keys.size(1));
  check_columns(queries, keys);
  if (queries.is_cuda()) return cuda::add_column_sums(queries, keys, scale, sums);
  if (queries.is_cpu() && cpu::has_column_attention(queries, keys)) {
    return cpu::add_column_sums(queries, keys, scale, sums);
  }
  for_each_head(queries, keys, scale, [&](int64_t head, int64_t, at::Tensor& block) {
    sums[head].narrow(0, 0, block.size(1)).add_(block.sum(0));
  });
}

ColumnMaxima column_maxima(const at::Tensor& queries, const at::Tensor& keys, double scale,
                           const at::Tensor& row_weights) {
  check_columns(queries, keys);
  if (queries.is_cpu() && cpu::has_column_attention(queries, keys)) {
    return cpu::column_maxima(queries, keys, scale, row_weights);
  }
  const auto options = queries.options().dtype(at::kFloat);
  ColumnMaxima maxima{at::zeros({queries.size(0), keys.size(1)}, options), at::Tensor()};
  if (row_weights.defined()) maxima.weighted = at::zeros_like(maxima.attention);
  const auto raise = [](const at::Tensor& row, const at::Tensor& block) {
    auto seen = row.narrow(0, 0, block.size(1));
    at::maximum_out(seen, seen, block.amax(0));
  };
  for_each_head(queries, keys, scale, [&](int64_t head, int64_t first, at::Tensor& block) {
    raise(maxima.attention[head], block);
    if (!row_weights.defined()) return;
    raise(maxima.weighted[head],
          block.mul_(row_weights.narrow(0, first, block.size(0)).unsqueeze(1)));
  });
  return maxima;
}

}  // namespace kvcal
