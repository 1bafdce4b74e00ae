// SPDX-License-Identifier: Apache-2.0
#include "kvcal/compress/allocator.hpp"

#include <ATen/ATen.h>

namespace kvcal {

at::Tensor count_protected(std::span<const at::Tensor> scores) {
  std::vector<at::Tensor> counts;
  for (const auto& layer : scores) counts.push_back(at::isposinf(layer).sum(1).to(at::kCPU));
  return at::stack(counts);  // [layers, kv_heads] i64
}

}  // namespace kvcal
