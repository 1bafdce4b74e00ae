// SPDX-License-Identifier: Apache-2.0
// Packs keys and values of a layer, then attends blocks of query rows on all cores. Blocks of
// entries start at the first token, so a row's bits do not depend on how a prompt is cut into
// chunks.
#include <ATen/ATen.h>

#include <algorithm>

#include "kernels/backend.hpp"
#include "kernels/cpu/causal_tile.hpp"
#include "kernels/cpu/packed_entries.hpp"
#include "kvcal/compress/parallel.hpp"

namespace kvcal::cpu {

bool has_causal_attention(const at::Tensor& queries) {
  if (queries.size(2) % kCausalKeys != 0) return false;
  if (queries.scalar_type() == at::kFloat) return has_causal_f32();
  // LibTorch's own attention uses AMX, which is faster still.
  return queries.scalar_type() == at::kBFloat16 && has_causal_bf16() && !has_amx_bf16();
}

at::Tensor causal_attention(const at::Tensor& given_queries, const at::Tensor& given_keys,
                            const at::Tensor& given_values, double scale) {
  const auto queries = in_words(given_queries), keys = in_words(given_keys);
  const auto values = in_words(given_values);
  const int64_t heads = queries.size(0), fresh = queries.size(1), head_dim = queries.size(2);
  const int64_t group = heads / keys.size(0);
  const auto attend =
      queries.scalar_type() == at::kBFloat16 ? attend_causal_bf16 : attend_causal_f32;
  const auto packed_keys = PackedBlocks::of_keys(keys);
  const auto packed_values = PackedBlocks::of_values(values);
  const QueryBlocks query_blocks(queries, keys.size(1), scale);
  const int64_t blocks = query_blocks.blocks();
  auto output = at::empty({fresh, heads, head_dim}, queries.options());
  // Head by head, so that each thread gets as many long rows as short ones.
  parallel_tasks(heads * blocks, [&](int64_t task) {
    const int64_t head = task / blocks, block = task % blocks;
    auto [words, rows] = query_blocks.pack(head, block);
    auto attended = at::empty({kCausalRows, head_dim}, at::kFloat);
    rows.output = attended.mutable_data_ptr<float>();
    const PackedEntries entries{packed_keys.of_head(head / group),
                                packed_values.of_head(head / group), head_dim};
    attend(entries, rows);
    output.narrow(0, block * kCausalRows, rows.count)
        .select(1, head)
        .copy_(attended.narrow(0, 0, rows.count));
  });
  return output.flatten(1);
}

}  // namespace kvcal::cpu
