// SPDX-License-Identifier: Apache-2.0
// Packs keys and values of a layer, then attends blocks of query rows on all cores. Blocks of
// entries start at the first token, so a row's bits do not depend on how a prompt is cut into
// chunks.
#include <ATen/ATen.h>

#include <algorithm>
#include <vector>

#include "kernels/backend.hpp"
#include "kernels/cpu/causal_tile.hpp"
#include "kernels/cpu/parallel.hpp"

namespace kvcal::cpu {
namespace {

/// As it is where all rows start at whole words, else a copy.
at::Tensor in_words(const at::Tensor& tensor) {
  const auto bytes = static_cast<int64_t>(tensor.itemsize());
  const auto address = reinterpret_cast<uintptr_t>(tensor.const_data_ptr());
  const bool is_whole =
      address % 4 == 0 && tensor.stride(0) * bytes % 4 == 0 && tensor.stride(1) * bytes % 4 == 0;
  return is_whole ? tensor : tensor.clone(at::MemoryFormat::Contiguous);
}

/// A tensor's rows as words; the last dimension is contiguous.
struct WordRows {
  const uint32_t* first;
  int64_t head_stride, row_stride;  // words

  explicit WordRows(const at::Tensor& tensor)  // [heads, rows, head_dim]
      : first(static_cast<const uint32_t*>(tensor.const_data_ptr())),
        head_stride(tensor.stride(0) * tensor.itemsize() / 4),
        row_stride(tensor.stride(1) * tensor.itemsize() / 4) {}

  const uint32_t* row(int64_t head, int64_t row) const {
    return first + head * head_stride + row * row_stride;
  }
};

/// to[word][key] = word of that key; zeros where there is no key.
void pack_keys(const WordRows& keys, int64_t kv_head, int64_t first, int64_t count, int64_t words,
               uint32_t* to) {
  for (int64_t key = 0; key < kCausalKeys; ++key) {
    const uint32_t* from = key < count ? keys.row(kv_head, first + key) : nullptr;
    for (int64_t w = 0; w < words; ++w) to[w * kCausalKeys + key] = from == nullptr ? 0 : from[w];
  }
}

void pack_f32_values(const WordRows& values, int64_t kv_head, int64_t first, int64_t count,
                     int64_t head_dim, uint32_t* to) {
  for (int64_t key = 0; key < kCausalKeys; ++key, to += head_dim) {
    if (key < count) {
      std::copy_n(values.row(kv_head, first + key), head_dim, to);
    } else {
      std::fill_n(to, head_dim, 0);
    }
  }
}

/// Words of the same number of two neighbouring entries.
void pack_bf16_values(const WordRows& values, int64_t kv_head, int64_t first, int64_t count,
                      int64_t head_dim, uint32_t* to) {
  for (int64_t key = 0; key < kCausalKeys; key += 2, to += head_dim) {
    const bool has_low = key < count, has_high = key + 1 < count;
    const uint32_t* low = has_low ? values.row(kv_head, first + key) : nullptr;
    const uint32_t* high = has_high ? values.row(kv_head, first + key + 1) : nullptr;
    for (int64_t w = 0; w < head_dim / 2; ++w) {
      const uint32_t a = has_low ? low[w] : 0, b = has_high ? high[w] : 0;
      to[2 * w] = (a & 0xFFFF) | b << 16;
      to[2 * w + 1] = a >> 16 | (b & 0xFFFF0000);
    }
  }
}

/// One layer's keys and values, packed.
class PackedLayer {
 public:
  PackedLayer(const at::Tensor& keys, const at::Tensor& values)
      : head_dim_(keys.size(2)),
        is_bf16_(keys.scalar_type() == at::kBFloat16),
        blocks_((keys.size(1) + kCausalKeys - 1) / kCausalKeys),
        block_words_(kCausalKeys * head_dim_ * keys.itemsize() / 4) {
    const auto words = at::TensorOptions(at::kInt);
    keys_ = at::empty({keys.size(0), blocks_, block_words_}, words);
    values_ = at::empty_like(keys_);
    const int64_t seen = keys.size(1);
    const WordRows key_rows(keys), value_rows(values);
    parallel_tasks(keys.size(0) * blocks_, [&](int64_t task) {
      const int64_t kv_head = task / blocks_, first = task % blocks_ * kCausalKeys;
      const int64_t count = std::min(kCausalKeys, seen - first);
      pack_keys(key_rows, kv_head, first, count, block_words_ / kCausalKeys, block_of(keys_, task));
      const auto pack_values = is_bf16_ ? pack_bf16_values : pack_f32_values;
      pack_values(value_rows, kv_head, first, count, head_dim_, block_of(values_, task));
    });
  }

  PackedEntries entries(int64_t kv_head) const {
    return {block_of(keys_, kv_head * blocks_), block_of(values_, kv_head * blocks_), head_dim_};
  }

 private:
  uint32_t* block_of(const at::Tensor& words, int64_t block) const {
    return static_cast<uint32_t*>(words.data_ptr()) + block * block_words_;
  }

  int64_t head_dim_;
  bool is_bf16_;
  int64_t blocks_, block_words_;
  at::Tensor keys_, values_;  // [kv_heads, blocks, words]
};

}  // namespace

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
  const int64_t seen = keys.size(1), group = heads / keys.size(0);
  const bool is_bf16 = queries.scalar_type() == at::kBFloat16;
  const PackedLayer layer(keys, values);
  const WordRows query_rows(queries);
  const int64_t head_words = head_dim * queries.itemsize() / 4;
  auto output = at::empty({fresh, heads, head_dim}, queries.options());
  const int64_t blocks = (fresh + kCausalRows - 1) / kCausalRows;
  // Head by head, so that each thread gets as many long rows as short ones.
  parallel_tasks(heads * blocks, [&](int64_t task) {
    const int64_t head = task / blocks, first = task % blocks * kCausalRows;
    const int64_t count = std::min(kCausalRows, fresh - first);
    std::vector<uint32_t> words(static_cast<size_t>(kCausalRows * head_words));
    for (int64_t r = 0; r < count; ++r) {
      std::copy_n(query_rows.row(head, first + r), head_words, words.begin() + r * head_words);
    }
    auto attended = at::empty({kCausalRows, head_dim}, at::kFloat);
    CausalRows rows;
    rows.queries = words.data();
    rows.count = count;
    rows.first_visible = seen - fresh + first + 1;
    rows.scale = static_cast<float>(scale);
    rows.output = attended.mutable_data_ptr<float>();
    const auto entries = layer.entries(head / group);
    is_bf16 ? attend_causal_bf16(entries, rows) : attend_causal_f32(entries, rows);
    output.narrow(0, first, count).select(1, head).copy_(attended.narrow(0, 0, count));
  });
  return output.flatten(1);
}

}  // namespace kvcal::cpu
