// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/packed_entries.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "kvcal/compress/parallel.hpp"

namespace kvcal::cpu {
namespace {

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

}  // namespace

at::Tensor in_words(const at::Tensor& tensor) {
  const auto bytes = static_cast<int64_t>(tensor.itemsize());
  const auto address = reinterpret_cast<uintptr_t>(tensor.const_data_ptr());
  const bool is_whole = tensor.stride(2) == 1 && address % 4 == 0 &&
                        tensor.stride(0) * bytes % 4 == 0 && tensor.stride(1) * bytes % 4 == 0;
  return is_whole ? tensor : tensor.clone(at::MemoryFormat::Contiguous);
}

QueryBlocks::QueryBlocks(const at::Tensor& queries, int64_t seen, double scale)
    : queries_(queries), past_(seen - queries.size(1)), scale_(static_cast<float>(scale)) {}

int64_t QueryBlocks::blocks() const {
  return divide_up(queries_.size(1), kCausalRows);
}

PackedRows QueryBlocks::pack(int64_t head, int64_t block) const {
  const WordRows from(queries_);
  const int64_t head_words = queries_.size(2) * static_cast<int64_t>(queries_.itemsize()) / 4;
  const int64_t first = block * kCausalRows;
  PackedRows packed;
  packed.words.resize(static_cast<size_t>(kCausalRows * head_words));
  packed.rows.queries = packed.words.data();
  packed.rows.count = std::min(kCausalRows, queries_.size(1) - first);
  packed.rows.first_visible = past_ + first + 1;
  packed.rows.scale = scale_;
  for (int64_t r = 0; r < packed.rows.count; ++r) {
    std::copy_n(from.row(head, first + r), head_words, packed.words.begin() + r * head_words);
  }
  return packed;
}

PackedBlocks::PackedBlocks(const at::Tensor& entries)
    : words_(
          at::empty({entries.size(0), divide_up(entries.size(1), kCausalKeys),
                     kCausalKeys * entries.size(2) * static_cast<int64_t>(entries.itemsize()) / 4},
                    at::TensorOptions(at::kInt))) {}

template <class Pack>
void PackedBlocks::fill(int64_t seen, const Pack& pack) {
  auto* words = static_cast<uint32_t*>(words_.data_ptr());
  const int64_t block_words = words_.size(2);
  parallel_tasks(words_.size(0) * blocks(), [&](int64_t task) {
    const int64_t first = task % blocks() * kCausalKeys;
    pack(task / blocks(), first, std::min(kCausalKeys, seen - first), words + task * block_words);
  });
}

PackedBlocks PackedBlocks::of_keys(const at::Tensor& keys) {
  PackedBlocks packed(keys);
  const WordRows rows(keys);
  const int64_t words = packed.words_.size(2) / kCausalKeys;
  packed.fill(keys.size(1), [&](int64_t kv_head, int64_t first, int64_t count, uint32_t* to) {
    pack_keys(rows, kv_head, first, count, words, to);
  });
  return packed;
}

PackedBlocks PackedBlocks::of_values(const at::Tensor& values) {
  PackedBlocks packed(values);
  const WordRows rows(values);
  const auto pack = values.scalar_type() == at::kFloat ? pack_f32_values : pack_bf16_values;
  packed.fill(values.size(1), [&](int64_t kv_head, int64_t first, int64_t count, uint32_t* to) {
    pack(rows, kv_head, first, count, values.size(2), to);
  });
  return packed;
}

const uint32_t* PackedBlocks::of_head(int64_t kv_head) const {
  return static_cast<const uint32_t*>(words_.const_data_ptr()) +
         kv_head * blocks() * words_.size(2);
}

}  // namespace kvcal::cpu
