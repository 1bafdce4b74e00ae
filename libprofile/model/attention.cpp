// SPDX-License-Identifier: Apache-2.0
#include "model/attention.hpp"

#include <ATen/ATen.h>

#include "kvcal/compress/kernels.hpp"

namespace kvcal {

at::Tensor attend(const at::Tensor& queries, const CacheLayer& cache, double scale) {
  const int64_t fresh = queries.size(1);
  const bool is_prefill = cache.prefix.total_kept() == 0 && fresh > 1;
  if (is_prefill && queries.is_cpu()) {
    return causal_attention(queries, cache.tail_keys, cache.tail_values, scale);
  }
  const auto output = ragged_attention(queries, cache, scale);  // [heads, new, head_dim]
  return output.permute({1, 0, 2}).reshape({fresh, -1});
}

}  // namespace kvcal
