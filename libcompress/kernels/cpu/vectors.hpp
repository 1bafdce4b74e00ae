// SPDX-License-Identifier: Apache-2.0
// Vectors of f32 that the CPU kernels are written with: GCC's vector types, so one source serves
// SSE2, AVX2 and AVX-512 (KVCAL_CLONES picks at load time). Only for files whose hot functions are
// clones: everything here is inlined into them.
#pragma once

#include <cstdint>
#include <cstring>

#include "kvcal/compress/vector_clones.hpp"
#define KVCAL_INLINE __attribute__((always_inline)) inline

namespace kvcal::cpu {

/// Numbers in one vector register of the widest instruction set.
constexpr int64_t kLanes = 16;

using F32x4 = float __attribute__((vector_size(16)));
using F32x16 = float __attribute__((vector_size(64)));
using I32x16 = int32_t __attribute__((vector_size(64)));
using U32x16 = uint32_t __attribute__((vector_size(64)));
using U16x16 = uint16_t __attribute__((vector_size(32)));

struct Bf16 {
  uint16_t bits;
};
struct F16 {
  uint16_t bits;
};

template <class To, class From>
KVCAL_INLINE To bits_as(const From& from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof(To));
  return to;
}

KVCAL_INLINE F32x16 load(const float* from) {
  F32x16 wide;
  std::memcpy(&wide, from, sizeof(wide));
  return wide;
}

KVCAL_INLINE U32x16 load_bits(const void* from) {
  U16x16 narrow;
  std::memcpy(&narrow, from, sizeof(narrow));
  return __builtin_convertvector(narrow, U32x16);
}

KVCAL_INLINE F32x16 load(const Bf16* from) {
  return bits_as<F32x16>(load_bits(from) << 16);
}

/// Moves exponent and fraction into place and corrects the exponent's offset by a product, which is
/// right for subnormals too; infinity and NaN get the largest exponent back.
KVCAL_INLINE F32x16 load(const F16* from) {
  const U32x16 half = load_bits(from);
  const U32x16 magnitude = (half & 0x7FFF) << 13;
  const F32x16 value = bits_as<F32x16>(magnitude) * 0x1p112F;
  const U32x16 is_special = bits_as<U32x16>(magnitude >= (0x7C00U << 13));
  return bits_as<F32x16>(bits_as<U32x16>(value) | ((half & 0x8000) << 16) |
                         (is_special & 0x7F800000U));
}

/// The last numbers of a row whose length is no multiple of kLanes; zeros behind them.
template <class T>
KVCAL_INLINE F32x16 load_some(const T* from, int64_t count) {
  T padded[kLanes] = {};
  std::memcpy(padded, from, static_cast<size_t>(count) * sizeof(T));
  return load(padded);
}

KVCAL_INLINE void store(float* to, const F32x16& from) {
  std::memcpy(to, &from, sizeof(from));
}

/// The first `count` numbers; all of them, as nearly always, without a call of memcpy.
KVCAL_INLINE void store_some(float* to, const F32x4& from, int64_t count) {
  if (count == 4) {
    std::memcpy(to, &from, sizeof(from));
  } else {
    std::memcpy(to, &from, static_cast<size_t>(count) * sizeof(float));
  }
}

/// exp for x <= 0, relative error below 2e-7; 0 below -87, NaN stays NaN (Cephes expf: 2^n *
/// polynomial).
KVCAL_INLINE F32x16 exp_negative(const F32x16& x) {
  const I32x16 is_in_range = ~(x <= -87.0F);
  const F32x16 clamped = bits_as<F32x16>(bits_as<I32x16>(x) & is_in_range);  // 0 where out of range
  const F32x16 scaled = clamped * 1.44269504088896341F - 0.5F;
  const I32x16 n = __builtin_convertvector(scaled, I32x16);  // towards zero: nearest, as x <= 0
  const F32x16 whole = __builtin_convertvector(n, F32x16);
  const F32x16 r = clamped - whole * 0.693359375F + whole * 2.12194440e-4F;
  F32x16 p = r * 1.9875691500e-4F + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * r * r + r + 1.0F;
  const F32x16 power = bits_as<F32x16>((n + 127) << 23);
  return bits_as<F32x16>(bits_as<I32x16>(p * power) & is_in_range);
}

KVCAL_INLINE float largest_of(const F32x16& v) {
  const auto larger = [](const F32x4& a, const F32x4& b) { return a > b ? a : b; };
  const F32x4 four = larger(
      larger(__builtin_shufflevector(v, v, 0, 1, 2, 3), __builtin_shufflevector(v, v, 4, 5, 6, 7)),
      larger(__builtin_shufflevector(v, v, 8, 9, 10, 11),
             __builtin_shufflevector(v, v, 12, 13, 14, 15)));
  const float a = four[0] > four[1] ? four[0] : four[1], b = four[2] > four[3] ? four[2] : four[3];
  return a > b ? a : b;
}

KVCAL_INLINE F32x4 quarter_sums(const F32x16& v) {
  const auto a =
      __builtin_shufflevector(v, v, 0, 1, 2, 3) + __builtin_shufflevector(v, v, 4, 5, 6, 7);
  const auto b =
      __builtin_shufflevector(v, v, 8, 9, 10, 11) + __builtin_shufflevector(v, v, 12, 13, 14, 15);
  return a + b;
}

/// The sums of four vectors, as one vector. Halves are added up within each quarter of the
/// registers first, where four vectors become one, then quarters: a third of the instructions that
/// four sums of their own take.
KVCAL_INLINE F32x4 sums_of(const F32x16* v) {
  const auto halves = [](const F32x16& a, const F32x16& b) {  // a, b, a, b of each quarter
    return __builtin_shufflevector(a, b, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29) +
           __builtin_shufflevector(a, b, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15,
                                   31);
  };
  const F32x16 ab = halves(v[0], v[1]), cd = halves(v[2], v[3]);
  return quarter_sums(
      __builtin_shufflevector(ab, cd, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29) +
      __builtin_shufflevector(ab, cd, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31));
}

KVCAL_INLINE float sum_of(const F32x16& v) {
  const F32x4 four = quarter_sums(v);
  return (four[0] + four[1]) + (four[2] + four[3]);
}

}  // namespace kvcal::cpu
