// SPDX-License-Identifier: Apache-2.0
// The inner part of what columns get: the causal softmax of a block of query rows over all packed
// keys that it sees, added up over the rows, or the largest of them.
#pragma once

#include <cstdint>

#include "kernels/cpu/causal_tile.hpp"

namespace kvcal::cpu {

/// Numbers of `room` for so many blocks of keys.
constexpr int64_t column_room(int64_t blocks) {
  return blocks * kCausalRows * (kCausalKeys + 1);
}

/// What is kept of each column, [blocks, kCausalKeys] each, over what is there already; null where
/// it is not wanted.
struct Columns {
  float* sums = nullptr;
  float* maxima = nullptr;
  float* weighted_maxima = nullptr;    ///< of the attention times its row's weight
  const float* row_weights = nullptr;  ///< [rows] >= 0, for weighted_maxima
};

/// Values of the entries and output of the rows are not used.
/// @param rows  of a processor for which has_causal_f32(), or has_causal_bf16(), holds
/// @param room  [column_room(blocks)] of the blocks that the rows see
void take_columns_f32(const PackedEntries& entries, const CausalRows& rows, float* room,
                      const Columns& columns);
void take_columns_bf16(const PackedEntries& entries, const CausalRows& rows, float* room,
                       const Columns& columns);

}  // namespace kvcal::cpu
