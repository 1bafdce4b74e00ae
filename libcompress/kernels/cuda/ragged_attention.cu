// SPDX-License-Identifier: Apache-2.0
// CUDA side of ragged attention. One block per (head, new token); its warps take turns over the
// entries, each with a running softmax of its own, and are merged at the end. Straightforward on
// purpose, see docs/gpu.md; ragged_attention_gpu_test.cpp compares it with the CPU kernel.
#include "kernels/cuda/ragged_attention.hpp"
#include "kernels/cuda/warp.cuh"
#include "kernels/running_softmax.hpp"

namespace kvcal::cuda {
namespace {

struct Gathered {
  RunningSoftmax softmax;
  float output[kPerLane] = {};
};

template <class T>
__device__ void take_entry(const float (&query)[kPerLane], const T* key, const T* value, float bias,
                           int64_t head_dim, Gathered& gathered) {
  // The query is scaled already.
  const auto step = gathered.softmax.take(dot_with(query, key, head_dim) + bias);
  float numbers[kPerLane];
  load_row(value, head_dim, numbers);
  for (int i = 0; i < kPerLane; ++i) {
    gathered.output[i] = gathered.output[i] * step.before + numbers[i] * step.added;
  }
}

/// Warp 0 takes in what the others gathered and writes the row.
template <class T>
__device__ void merge_and_store(Gathered& gathered, int64_t head_dim, T* out) {
  __shared__ float maxima[kWarps], sums[kWarps];
  __shared__ float outputs[kWarps][kMaxHeadDim];
  const int warp = threadIdx.x / kWarpLanes, lane = threadIdx.x % kWarpLanes;
  maxima[warp] = gathered.softmax.maximum;
  sums[warp] = gathered.softmax.sum;
  for (int i = 0; i < kPerLane; ++i) outputs[warp][lane + i * kWarpLanes] = gathered.output[i];
  __syncthreads();
  if (warp != 0) return;
  for (int other = 1; other < kWarps; ++other) {
    const auto step = gathered.softmax.merge({maxima[other], sums[other]});
    for (int i = 0; i < kPerLane; ++i) {
      const float added = outputs[other][lane + i * kWarpLanes];
      gathered.output[i] = gathered.output[i] * step.before + added * step.added;
    }
  }
  for (int i = 0; i < kPerLane; ++i) {
    const int64_t d = lane + i * kWarpLanes;
    if (d < head_dim) from_float(gathered.output[i] / gathered.softmax.sum, out + d);
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads) attend(RaggedArguments a) {
  const int64_t head = blockIdx.y, token = blockIdx.x;
  const int64_t kv_head = head / (a.heads / a.kv_heads);
  const int warp = threadIdx.x / kWarpLanes;

  float query[kPerLane];
  load_row(row_of<T>(a.queries, head, token), a.head_dim, query);
  for (int i = 0; i < kPerLane; ++i) query[i] *= a.scale;

  Gathered gathered;
  const T* prefix_keys = static_cast<const T*>(a.prefix_keys);
  const T* prefix_values = static_cast<const T*>(a.prefix_values);
  for (int64_t entry = a.offsets[kv_head] + warp; entry < a.offsets[kv_head + 1]; entry += kWarps) {
    const float bias = a.bias == nullptr ? 0.0F : a.bias[entry];
    const int64_t row = a.entry_rows == nullptr ? entry : a.entry_rows[entry];
    take_entry(query, prefix_keys + row * a.head_dim, prefix_values + row * a.head_dim, bias,
               a.head_dim, gathered);
  }
  const int64_t visible = a.tail_tokens - a.new_tokens + token + 1;
  for (int64_t row = warp; row < visible; row += kWarps) {
    take_entry(query, row_of<T>(a.tail_keys, kv_head, row), row_of<T>(a.tail_values, kv_head, row),
               0.0F, a.head_dim, gathered);
  }
  T* out = static_cast<T*>(a.output) + (head * a.new_tokens + token) * a.head_dim;
  merge_and_store(gathered, a.head_dim, out);
}

}  // namespace

const char* launch_ragged_attention(const RaggedArguments& arguments, Element element) {
  const dim3 blocks(static_cast<unsigned>(arguments.new_tokens),
                    static_cast<unsigned>(arguments.heads));
  return start_for(element,
                   [&](auto type) { attend<decltype(type)><<<blocks, kThreads>>>(arguments); });
}

}  // namespace kvcal::cuda
