// SPDX-License-Identifier: Apache-2.0
// A layer's tensors as the words of causal_tile.hpp, for the kernels of a prefill.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "kernels/cpu/causal_tile.hpp"

namespace kvcal::cpu {

/// As it is where all rows are contiguous and start at whole words, else a copy.
at::Tensor in_words(const at::Tensor& tensor);

/// A tensor's rows as words; it is in_words().
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

/// A block of query rows of one head; `rows` reads `words` and lacks its output.
struct PackedRows {
  std::vector<uint32_t> words;  // [kCausalRows, head words], zeros behind the last row
  CausalRows rows;
};

/// The last tokens of a sequence as blocks of query rows.
class QueryBlocks {
 public:
  /// @param queries  [heads, new, head_dim], in_words()
  /// @param seen     tokens of the sequence, the new ones among them
  QueryBlocks(const at::Tensor& queries, int64_t seen, double scale);

  int64_t blocks() const;  ///< of a head
  PackedRows pack(int64_t head, int64_t block) const;

 private:
  at::Tensor queries_;
  int64_t past_;  // tokens before the new ones
  float scale_;
};

/// Keys, or values, of all KV heads in blocks of kCausalKeys entries; zeros behind the last.
class PackedBlocks {
 public:
  static PackedBlocks of_keys(const at::Tensor& keys);      // [kv_heads, seen, head_dim]
  static PackedBlocks of_values(const at::Tensor& values);  // [kv_heads, seen, head_dim]

  int64_t blocks() const { return words_.size(1); }
  const uint32_t* of_head(int64_t kv_head) const;

 private:
  explicit PackedBlocks(const at::Tensor& entries);
  /// pack(kv_head, first entry, entries, to) for all blocks.
  template <class Pack>
  void fill(int64_t seen, const Pack& pack);

  at::Tensor words_;  // [kv_heads, blocks, words of a block] int32
};

}  // namespace kvcal::cpu
