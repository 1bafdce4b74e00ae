// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/ragged_attention.hpp"

#include <ATen/ATen.h>
#include <c10/core/DeviceGuard.h>

#include "kernels/backend.hpp"
#include "kernels/cuda/tensor_rows.hpp"

namespace kvcal::cuda {
at::Tensor ragged_attention(const at::Tensor& queries, const CacheLayer& cache, double scale) {
  const int64_t heads = queries.size(0), new_tokens = queries.size(1), head_dim = queries.size(2);
  require_head_dim(head_dim);
  const c10::DeviceGuard guard(queries.device());
  const auto offsets = cache.prefix.offsets.to(queries.device());  // [kv_heads + 1]
  const auto rows = queries.stride(2) == 1 ? queries : queries.contiguous();
  auto output = at::empty({heads, new_tokens, head_dim}, queries.options());
  RaggedArguments arguments;
  arguments.queries = rows_of(rows);
  arguments.tail_keys = rows_of(cache.tail_keys);
  arguments.tail_values = rows_of(cache.tail_values);
  arguments.prefix_keys = cache.prefix.keys.const_data_ptr();
  arguments.prefix_values = cache.prefix.values.const_data_ptr();
  arguments.entry_rows =
      cache.prefix.rows.defined() ? cache.prefix.rows.const_data_ptr<int32_t>() : nullptr;
  arguments.bias =
      cache.prefix.bias.defined() ? cache.prefix.bias.const_data_ptr<float>() : nullptr;
  arguments.offsets = offsets.const_data_ptr<int64_t>();
  arguments.output = output.mutable_data_ptr();
  arguments.heads = heads;
  arguments.kv_heads = cache.kv_heads();
  arguments.new_tokens = new_tokens;
  arguments.tail_tokens = cache.tail_tokens();
  arguments.head_dim = head_dim;
  arguments.scale = static_cast<float>(scale);
  require_started(launch_ragged_attention(arguments, element_of(queries.scalar_type())),
                  "ragged attention", queries);
  return output;
}

}  // namespace kvcal::cuda
