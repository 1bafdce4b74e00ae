// SPDX-License-Identifier: Apache-2.0
// CUDA side of column sums. One block per query row finds its softmax; then one warp per column
// adds up its rows in order, so that no sum depends on which block came first. Pooled sums stay in
// shared memory between the two. Straightforward on purpose, see docs/gpu.md.
#include "kernels/cuda/columns.hpp"
#include "kernels/cuda/warp.cuh"

namespace kvcal::cuda {
namespace {

constexpr int kTileColumns = 128;  // pooled by one block

__device__ int64_t past_of(const ColumnArguments& a) {
  return a.seen_tokens - a.new_tokens;
}

template <class T>
__global__ void __launch_bounds__(kThreads) find_softmaxes(ColumnArguments a) {
  const int64_t head = blockIdx.y, row = blockIdx.x, kv_head = head / (a.heads / a.kv_heads);
  const int warp = threadIdx.x / kWarpLanes;
  float query[kPerLane];
  load_row(row_of<T>(a.queries, head, row), a.head_dim, query);
  const auto part =
      softmax_of_row(warp, columns_of_row(row, past_of(a)), kWarps, [&](int64_t column) {
        return a.scale * dot_with(query, row_of<T>(a.keys, kv_head, column), a.head_dim);
      });
  __shared__ float maxima[kWarps], sums[kWarps];
  maxima[warp] = part.maximum;
  sums[warp] = part.sum;
  __syncthreads();
  if (threadIdx.x != 0) return;
  RunningSoftmax whole;
  for (int i = 0; i < kWarps; ++i) whole.merge({maxima[i], sums[i]});
  a.softmaxes[head * a.new_tokens + row] = whole;
}

/// By one warp; the same in every lane.
template <class T>
__device__ float column_sum(const ColumnArguments& a, int64_t head, int64_t column) {
  float key[kPerLane];
  load_row(row_of<T>(a.keys, head / (a.heads / a.kv_heads), column), a.head_dim, key);
  return sum_of_column(first_row_of_column(column, past_of(a)), a.new_tokens,
                       a.softmaxes + head * a.new_tokens, [&](int64_t row) {
                         return a.scale *
                                dot_with(key, row_of<T>(a.queries, head, row), a.head_dim);
                       });
}

template <class T>
__global__ void __launch_bounds__(kThreads) add_columns(ColumnArguments a) {
  const int64_t head = blockIdx.y;
  const int64_t column = int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarpLanes;
  if (column >= a.seen_tokens) return;
  const float sum = column_sum<T>(a, head, column);
  if (threadIdx.x % kWarpLanes == 0) a.output[head * a.output_stride + column] += sum;
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    pool_columns(ColumnArguments a, Pool pool, int64_t kernel) {
  extern __shared__ float masses[];  // [kTileColumns + kernel - 1]
  const int64_t head = blockIdx.y, past = past_of(a), half = kernel / 2;
  const int64_t first = int64_t{blockIdx.x} * kTileColumns;
  const int64_t begin = first > half ? first - half : 0;
  const int64_t reach = first + kTileColumns + half, end = reach < past ? reach : past;
  const int warp = threadIdx.x / kWarpLanes;
  for (int64_t column = begin + warp; column < end; column += kWarps) {
    const float mass = column_sum<T>(a, head, column);
    if (threadIdx.x % kWarpLanes == 0) masses[column - begin] = mass;
  }
  __syncthreads();
  const int64_t last = first + kTileColumns < past ? first + kTileColumns : past;
  for (int64_t column = first + threadIdx.x; column < last; column += kThreads) {
    a.output[head * a.output_stride + column] =
        pooled_at({masses, begin, end}, column, kernel, pool);
  }
}

dim3 blocks_for(int64_t columns, int64_t in_one_block, int64_t heads) {
  return {static_cast<unsigned>((columns + in_one_block - 1) / in_one_block),
          static_cast<unsigned>(heads)};
}

}  // namespace

const char* launch_column_sums(const ColumnArguments& a, Element element) {
  return start_for(element, [&](auto type) {
    using T = decltype(type);
    find_softmaxes<T><<<blocks_for(a.new_tokens, 1, a.heads), kThreads>>>(a);
    add_columns<T><<<blocks_for(a.seen_tokens, kWarps, a.heads), kThreads>>>(a);
  });
}

const char* launch_pooled_columns(const ColumnArguments& a, Pool pool, int64_t kernel,
                                  Element element) {
  const size_t shared_bytes = static_cast<size_t>(kTileColumns + kernel - 1) * sizeof(float);
  return start_for(element, [&](auto type) {
    using T = decltype(type);
    find_softmaxes<T><<<blocks_for(a.new_tokens, 1, a.heads), kThreads>>>(a);
    pool_columns<T><<<blocks_for(a.seen_tokens - a.new_tokens, kTileColumns, a.heads), kThreads,
                      shared_bytes>>>(a, pool, kernel);
  });
}

}  // namespace kvcal::cuda
