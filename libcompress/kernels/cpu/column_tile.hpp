// SPDX-License-Identifier: Apache-2.0
// The inner part of column sums: the causal softmax of a block of query rows over all packed keys
// that it sees, added up over the rows.
#pragma once

#include <cstdint>

#include "kernels/cpu/causal_tile.hpp"

namespace kvcal::cpu {

/// Numbers of `room` for so many blocks of keys.
constexpr int64_t column_room(int64_t blocks) {
  return blocks * kCausalRows * (kCausalKeys + 1);
}

/// sums[key] += what the rows give to it; values of the entries and output of the rows are not
/// used.
/// @param rows  of a processor for which has_causal_f32(), or has_causal_bf16(), holds
/// @param room  [column_room(blocks)] of the blocks that the rows see
/// @param sums  [blocks, kCausalKeys]
void add_columns_f32(const PackedEntries& entries, const CausalRows& rows, float* room,
                     float* sums);
void add_columns_bf16(const PackedEntries& entries, const CausalRows& rows, float* room,
                      float* sums);

}  // namespace kvcal::cpu
