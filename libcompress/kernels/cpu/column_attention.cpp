// SPDX-License-Identifier: Apache-2.0
// Column sums and maxima of a prefill chunk. A head's blocks of query rows are dealt to a fixed
// number of parts, which are joined in order: same bytes on any number of threads.
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

/// A chunk's query rows in blocks, dealt to parts.
class ColumnChunk {
 public:
  ColumnChunk(const at::Tensor& queries, const at::Tensor& keys, double scale)
      : queries_(in_words(queries)),
        keys_(in_words(keys)),
        packed_(PackedBlocks::of_keys(keys_)),
        scale_(static_cast<float>(scale)),
        row_blocks_(divide_up(fresh(), kCausalRows)),
        parts_(std::min(row_blocks_, divide_up(kColumnTasks, heads()))) {}

  int64_t parts() const { return parts_; }
  /// Zeros, [heads, parts, columns of whole blocks] f32.
  at::Tensor of_parts() const {
    return at::zeros({heads(), parts_, packed_.blocks() * kCausalKeys}, at::kFloat);
  }

  /// @param columns_of  (head * parts + part, first row of the chunk) -> Columns
  template <class ColumnsOf>
  void take(const ColumnsOf& columns_of) const {
    const bool is_bf16 = queries_.scalar_type() == at::kBFloat16;
    const auto take_columns = is_bf16 ? take_columns_bf16 : take_columns_f32;
    parallel_tasks(heads() * parts_, [&](int64_t task) {
      const int64_t head = task / parts_, kv_head = head / (heads() / keys_.size(0));
      const PackedEntries entries{packed_.of_head(kv_head), nullptr, queries_.size(2)};
      const auto room = at::empty({column_room(packed_.blocks())}, at::kFloat);
      for (int64_t block = task % parts_; block < row_blocks_; block += parts_) {
        const int64_t first = block * kCausalRows;
        const auto words = words_of(head, first);
        CausalRows rows;
        rows.queries = words.data();
        rows.count = rows_from(first);
        rows.first_visible = keys_.size(1) - fresh() + first + 1;
        rows.scale = scale_;
        take_columns(entries, rows, room.mutable_data_ptr<float>(), columns_of(task, first));
      }
    });
  }

 private:
  int64_t heads() const { return queries_.size(0); }
  int64_t fresh() const { return queries_.size(1); }
  int64_t rows_from(int64_t first) const { return std::min(kCausalRows, fresh() - first); }
  std::vector<uint32_t> words_of(int64_t head, int64_t first) const {
    const auto head_words = queries_.size(2) * static_cast<int64_t>(queries_.itemsize()) / 4;
    return pack_queries(WordRows(queries_), head, first, rows_from(first), head_words);
  }

  at::Tensor queries_, keys_;  // [heads, new, head_dim], [kv_heads, seen, head_dim]
  PackedBlocks packed_;
  float scale_;
  int64_t row_blocks_, parts_;
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
  chunk.take([&](int64_t task, int64_t first) {
    Columns columns;
    columns.maxima = row_of(maxima, task);
    if (is_weighted) {
      columns.weighted_maxima = row_of(weighted, task);
      columns.row_weights = weights.const_data_ptr<float>() + first;
    }
    return columns;
  });
  const auto joined = [&](const at::Tensor& of_parts) {
    return of_parts.amax(1).narrow(1, 0, keys.size(1)).contiguous();
  };
  return {joined(maxima), is_weighted ? joined(weighted) : at::Tensor()};
}

}  // namespace kvcal::cpu
