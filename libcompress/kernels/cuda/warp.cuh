// SPDX-License-Identifier: Apache-2.0
// What the CUDA kernels share: rows of head_dim numbers spread over the lanes of a warp.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include "kernels/cuda/rows.hpp"

namespace kvcal::cuda {

constexpr int kWarpLanes = 32;
constexpr int kWarps = 4;  // of a block
constexpr int kThreads = kWarps * kWarpLanes;
/// Numbers of a row that one lane holds.
constexpr int kPerLane = kMaxHeadDim / kWarpLanes;

__device__ inline float to_float(float value) {
  return value;
}
__device__ inline float to_float(__nv_bfloat16 value) {
  return __bfloat162float(value);
}
__device__ inline float to_float(__half value) {
  return __half2float(value);
}

__device__ inline void from_float(float value, float* out) {
  *out = value;
}
__device__ inline void from_float(float value, __nv_bfloat16* out) {
  *out = __float2bfloat16(value);
}
__device__ inline void from_float(float value, __half* out) {
  *out = __float2half(value);
}

template <class T>
__device__ const T* row_of(const Rows& rows, int64_t head, int64_t token) {
  return static_cast<const T*>(rows.data) + head * rows.head_stride + token * rows.token_stride;
}

/// Lane i of a warp holds numbers i, i + 32, .. of a row; zeros beyond head_dim.
template <class T>
__device__ void load_row(const T* row, int64_t head_dim, float (&numbers)[kPerLane]) {
  for (int i = 0; i < kPerLane; ++i) {
    const int64_t d = threadIdx.x % kWarpLanes + i * kWarpLanes;
    numbers[i] = d < head_dim ? to_float(row[d]) : 0.0F;
  }
}

/// The same sum in every lane.
__device__ inline float warp_sum(float value) {
  for (int step = kWarpLanes / 2; step > 0; step /= 2)
    value += __shfl_xor_sync(0xFFFFFFFF, value, step);
  return value;
}

/// Dot product of a row that the warp holds with one in memory; the same in every lane.
template <class T>
__device__ float dot_with(const float (&held)[kPerLane], const T* row, int64_t head_dim) {
  float numbers[kPerLane];
  load_row(row, head_dim, numbers);
  float dot = 0;
  for (int i = 0; i < kPerLane; ++i) dot += held[i] * numbers[i];
  return warp_sum(dot);
}

/// Calls start(T{}) with the type of the elements.
template <class Start>
const char* start_for(Element element, const Start& start) {
  if (element == Element::f32) start(float{});
  if (element == Element::bf16) start(__nv_bfloat16{});
  if (element == Element::f16) start(__half{});
  const cudaError_t status = cudaGetLastError();
  return status == cudaSuccess ? nullptr : cudaGetErrorString(status);
}

}  // namespace kvcal::cuda
