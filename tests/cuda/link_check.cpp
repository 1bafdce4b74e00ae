// SPDX-License-Identifier: Apache-2.0
// Calls every CUDA kernel on the first device; without one, shows that they were linked.
#include <ATen/ATen.h>
#include <fmt/format.h>

#include "kvcal/compress/kernels.hpp"

namespace {

void run_kernels(const at::Device& device) {
  const auto options = at::TensorOptions(device).dtype(at::kFloat);
  const auto queries = at::ones({4, 1, 64}, options), keys = at::ones({2, 9, 64}, options);
  kvcal::CacheLayer cache;
  cache.prefix = {at::ones({6, 64}, options), at::ones({6, 64}, options), at::Tensor(),
                  at::tensor({int64_t{0}, int64_t{3}, int64_t{6}})};
  cache.tail_keys = cache.tail_values = keys;
  auto sums = at::zeros({4, 9}, options);
  const auto attended = kvcal::ragged_attention(queries, cache, 0.125);
  kvcal::add_column_sums(queries, keys, 0.125, sums);
  fmt::print("ran on {}: {:.3f}, {:.3f}\n", device.str(), attended.mean().item<double>(),
             sums.sum().item<double>());
}

}  // namespace

int main() {
  if (!at::hasCUDA()) {
    fmt::print("kernels are linked; LibTorch has no CUDA, or there is no device\n");
    return 0;
  }
  run_kernels(at::Device(at::kCUDA, 0));
}
