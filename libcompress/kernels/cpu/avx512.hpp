// SPDX-License-Identifier: Apache-2.0
// KVCAL_AVX512 before a function that is written for AVX-512 with products of bf16, and defined
// only where such can be compiled: by GCC for x86-64 (clang does not mix its vectors with GNU's).
// Without the intrinsics of avx512bf16 none of its instructions is made, so f32 has the same
// target. Whether the processor has the instructions is asked at run time.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#include <immintrin.h>
#define KVCAL_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,fma")))
#endif
