// SPDX-License-Identifier: Apache-2.0
// The inner part of prefill attention: a block of query rows over all packed entries that it sees,
// with a running softmax. Sums run over outer products, so no vector is ever added up across.
//
// Everything is packed into 32-bit words: one f32, or two bf16 that are neighbours in the direction
// of the sum. So both types have the same shapes in words, and one source.
#pragma once

#include <cstdint>

namespace kvcal::cpu {

/// Entries of a block, and numbers of a head that are summed or written at once.
constexpr int64_t kCausalKeys = 64;
/// Query rows of a block: their logits and outputs fit the first-level cache with a block of
/// entries. A multiple of the six rows that fill the registers.
constexpr int64_t kCausalRows = 48;

/// Keys and values of one KV head.
struct PackedEntries {
  const uint32_t* keys = nullptr;    // [blocks, head words, kCausalKeys]
  const uint32_t* values = nullptr;  // [blocks, kCausalKeys / numbers a word, head_dim]
  int64_t head_dim = 0;              ///< a multiple of kCausalKeys
};

/// Row r sees the first first_visible + r entries.
struct CausalRows {
  const uint32_t* queries = nullptr;  // [kCausalRows, head words], zeros from `count` on
  int64_t count = 0;                  ///< 1 .. kCausalRows
  int64_t first_visible = 0;          ///< >= 1
  float scale = 1;
  float* output = nullptr;  // [kCausalRows, head_dim], written
};

/// Whether the processor has the instructions: AVX-512, its products of bf16, tiles of bf16 (AMX).
bool has_causal_f32();
bool has_causal_bf16();
bool has_amx_bf16();

/// @param rows  of a processor for which has_causal_*() holds
void attend_causal_f32(const PackedEntries& entries, const CausalRows& rows);
void attend_causal_bf16(const PackedEntries& entries, const CausalRows& rows);

}  // namespace kvcal::cpu
