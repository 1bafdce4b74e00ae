// SPDX-License-Identifier: Apache-2.0
// bf16 as its bits: loops over it become vectors, which conversions of at::BFloat16 prevent.
#pragma once

#include <bit>
#include <cstdint>

namespace kvcal {

inline float widened(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

/// To the nearest, ties to even; NaN stays NaN, as products and sums of bf16 have no payload below.
inline uint16_t rounded(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  return static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

}  // namespace kvcal
