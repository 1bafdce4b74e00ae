// SPDX-License-Identifier: Apache-2.0
// Column sums of a prefill chunk. A head's blocks of query rows are dealt to a fixed number of
// parts, whose sums are added in order: same bytes on any number of threads.
#include <ATen/ATen.h>

#include <algorithm>

#include "kernels/backend.hpp"
#include "kernels/cpu/column_tile.hpp"
#include "kernels/cpu/packed_entries.hpp"
#include "kernels/cpu/parallel.hpp"

namespace kvcal::cpu {
namespace {

/// Parts of all heads together: enough for many cores, few enough to be held at once.
constexpr int64_t kColumnTasks = 32;

}  // namespace

bool has_column_sums(const at::Tensor& queries, const at::Tensor& keys) {
  if (queries.scalar_type() != keys.scalar_type()) return false;
  if (queries.scalar_type() == at::kFloat) return has_causal_f32();
  return queries.scalar_type() == at::kBFloat16 && has_causal_bf16() && queries.size(2) % 2 == 0;
}

void add_column_sums(const at::Tensor& given_queries, const at::Tensor& given_keys, double scale,
                     at::Tensor& sums) {
  const auto queries = in_words(given_queries), keys = in_words(given_keys);
  const int64_t heads = queries.size(0), fresh = queries.size(1), head_dim = queries.size(2);
  const int64_t seen = keys.size(1), group = heads / keys.size(0);
  const auto packed = PackedBlocks::of_keys(keys);
  const WordRows query_rows(queries);
  const int64_t head_words = head_dim * queries.itemsize() / 4;
  const auto add_columns =
      queries.scalar_type() == at::kBFloat16 ? add_columns_bf16 : add_columns_f32;
  const int64_t row_blocks = divide_up(fresh, kCausalRows);
  const int64_t parts = std::min(row_blocks, divide_up(kColumnTasks, heads));
  const auto of_parts = at::zeros({heads, parts, packed.blocks() * kCausalKeys}, sums.options());
  parallel_tasks(heads * parts, [&](int64_t task) {
    const int64_t head = task / parts, part = task % parts;
    const PackedEntries entries{packed.of_head(head / group), nullptr, head_dim};
    const auto room = at::empty({column_room(packed.blocks())}, sums.options());
    for (int64_t block = part; block < row_blocks; block += parts) {
      const int64_t first = block * kCausalRows, count = std::min(kCausalRows, fresh - first);
      const auto words = pack_queries(query_rows, head, first, count, head_words);
      CausalRows rows;
      rows.queries = words.data();
      rows.count = count;
      rows.first_visible = seen - fresh + first + 1;
      rows.scale = static_cast<float>(scale);
      add_columns(entries, rows, room.mutable_data_ptr<float>(),
                  of_parts.mutable_data_ptr<float>() + task * of_parts.size(2));
    }
  });
  auto seen_sums = sums.narrow(1, 0, seen);
  for (int64_t part = 0; part < parts; ++part) {
    seen_sums.add_(of_parts.select(1, part).narrow(1, 0, seen));
  }
}

}  // namespace kvcal::cpu
