// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/columns.hpp"

#include <ATen/ATen.h>
#include <c10/core/DeviceGuard.h>

#include "kernels/backend.hpp"
#include "kernels/cuda/tensor_rows.hpp"

namespace kvcal::cuda {
namespace {

/// Tensors that a kernel reads, held until it was started; Torch frees memory in stream order.
struct Chunk {
  at::Tensor queries, keys;
  at::Tensor softmaxes;  // [heads, new, 2] f32
};

at::Tensor with_whole_rows(const at::Tensor& tensor) {
  return tensor.stride(-1) == 1 ? tensor : tensor.contiguous();
}

Chunk chunk_of(const at::Tensor& queries, const at::Tensor& keys) {
  static_assert(sizeof(RunningSoftmax) == 2 * sizeof(float));
  return {with_whole_rows(queries), with_whole_rows(keys.to(queries.scalar_type())),
          at::empty({queries.size(0), queries.size(1), 2}, queries.options().dtype(at::kFloat))};
}

ColumnArguments arguments_of(const Chunk& chunk, double scale, at::Tensor& output) {
  const auto& [queries, keys, softmaxes] = chunk;
  require_head_dim(queries.size(2));
  ColumnArguments arguments{};
  arguments.queries = rows_of(queries);
  arguments.keys = rows_of(keys);
  arguments.softmaxes = reinterpret_cast<RunningSoftmax*>(softmaxes.mutable_data_ptr<float>());
  arguments.output = output.mutable_data_ptr<float>();
  arguments.output_stride = output.stride(0);
  arguments.heads = queries.size(0);
  arguments.kv_heads = keys.size(0);
  arguments.new_tokens = queries.size(1);
  arguments.seen_tokens = keys.size(1);
  arguments.head_dim = queries.size(2);
  arguments.scale = static_cast<float>(scale);
  return arguments;
}

}  // namespace

void add_column_sums(const at::Tensor& queries, const at::Tensor& keys, double scale,
                     at::Tensor& sums) {
  const c10::DeviceGuard guard(queries.device());
  const auto chunk = chunk_of(queries, keys);
  require(sums.stride(1) == 1, Kind::shape, "column sums have stride {}, need 1", sums.stride(1));
  const auto arguments = arguments_of(chunk, scale, sums);
  require_started(launch_column_sums(arguments, element_of(queries.scalar_type())), "column sums",
                  queries);
}

at::Tensor pooled_window_mass(const at::Tensor& queries, const at::Tensor& keys, double scale,
                              Pool pool, int64_t kernel) {
  require(kernel <= kMaxPoolKernel, Kind::config,
          "pool_kernel = {}, the CUDA kernel takes up to {}", kernel, kMaxPoolKernel);
  const c10::DeviceGuard guard(queries.device());
  const auto chunk = chunk_of(queries, keys);
  const int64_t past = keys.size(1) - queries.size(1);
  auto output = at::empty({queries.size(0), past}, queries.options().dtype(at::kFloat));
  if (past == 0) return output;
  const auto arguments = arguments_of(chunk, scale, output);
  require_started(launch_pooled_columns(arguments, pool, kernel, element_of(queries.scalar_type())),
                  "pooled window scores", queries);
  return output;
}

}  // namespace kvcal::cuda
