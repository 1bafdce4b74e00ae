// SPDX-License-Identifier: Apache-2.0
// Column sums and maxima of a prefill chunk. A head's blocks of query rows are dealt to a fixed
// number of parts, which are joined in order: same bytes on any number of threads.
#include <ATen/ATen.h>

#include <algorithm>

#include "kernels/backend.hpp"
#include "kernels/cpu/column_tile.hpp"
#include "kernels/cpu/packed_entries.hpp"
#include "kvcal/compress/parallel.hpp"

namespace kvcal::cpu {
namespace {

/// Parts of all heads together: enough for many cores, few enough to be held at once.
constexpr int64_t kColumnTasks = 32;

/// A chunk's blocks of query rows, dealt to parts.
class ColumnChunk {
 public:
  ColumnChunk(const at::Tensor& queries, const at::Tensor& keys, double scale)
      : is_bf16_(queries.scalar_type() == at::kBFloat16),
        heads_(queries.size(0)),
        group_(heads_ / keys.size(0)),
        head_dim_(queries.size(2)),
        keys_(PackedBlocks::of_keys(in_words(keys))),
        queries_(in_words(queries), keys.size(1), scale),
        parts_(std::min(queries_.blocks(), divide_up(kColumnTasks, heads_))) {}

  int64_t parts() const { return parts_; }
  /// Zeros, [heads, parts, columns of whole blocks] f32.
  at::Tensor of_parts() const {
    return at::zeros({heads_, parts_, keys_.blocks() * kCausalKeys}, at::kFloat);
  }

  /// @param columns_of  (head * parts + part, block of rows) -> Columns
  template <class ColumnsOf>
  void take(const ColumnsOf& columns_of) const {
    const auto take_columns = is_bf16_ ? take_columns_bf16 : take_columns_f32;
    parallel_tasks(heads_ * parts_, [&](int64_t task) {
      const int64_t head = task / parts_;
      const PackedEntries entries{keys_.of_head(head / group_), nullptr, head_dim_};
      const auto room = at::empty({column_room(keys_.blocks())}, at::kFloat);
      for (int64_t block = task % parts_; block < queries_.blocks(); block += parts_) {
        const auto packed = queries_.pack(head, block);
        take_columns(entries, packed.rows, room.mutable_data_ptr<float>(), columns_of(task, block));
      }
    });
  }

 private:
  bool is_bf16_;
  int64_t heads_, group_, head_dim_;
  PackedBlocks keys_;
  QueryBlocks queries_;
  int64_t parts_;
};

float* row_of(const at::Tensor& of_parts, int64_t task) {
  return of_parts.mutable_data_ptr<float>() + task * of_parts.size(2);
}

}  // namespace

bool has_column_attention(const at::Tensor& queries, const at::Tensor& keys) {
  if (queries.scalar_type() != keys.scalar_type()) return false;
  if (queries.scalar_type() == at::kFloat) return has_causal_f32();
  return queries.scalar_type() == at::kBFloat16 && has_causal_bf16() && queries.size(2) % 2 == 0;
}

void add_column_sums(const at::Tensor& queries, const at::Tensor& keys, double scale,
                     at::Tensor& sums) {
  const ColumnChunk chunk(queries, keys, scale);
  const auto of_parts = chunk.of_parts();
  chunk.take([&](int64_t task, int64_t) {
    Columns columns;
    columns.sums = row_of(of_parts, task);
    return columns;
  });
  auto seen = sums.narrow(1, 0, keys.size(1));
  for (int64_t part = 0; part < chunk.parts(); ++part) {
    seen.add_(of_parts.select(1, part).narrow(1, 0, keys.size(1)));
  }
}

ColumnMaxima column_maxima(const at::Tensor& queries, const at::Tensor& keys, double scale,
                           const at::Tensor& row_weights) {
  const ColumnChunk chunk(queries, keys, scale);
  const bool is_weighted = row_weights.defined();
  const auto weights = is_weighted ? row_weights.to(at::kFloat).contiguous() : at::Tensor();
  const auto maxima = chunk.of_parts();
  const auto weighted = is_weighted ? chunk.of_parts() : at::Tensor();
  chunk.take([&](int64_t task, int64_t block) {
    Columns columns;
    columns.maxima = row_of(maxima, task);
    if (is_weighted) {
      columns.weighted_maxima = row_of(weighted, task);
      columns.row_weights = weights.const_data_ptr<float>() + block * kCausalRows;
    }
    return columns;
  });
  const auto joined = [&](const at::Tensor& of_parts) {
    return of_parts.amax(1).narrow(1, 0, keys.size(1)).contiguous();
  };
  return {joined(maxima), is_weighted ? joined(weighted) : at::Tensor()};
}

}  // namespace kvcal::cpu
