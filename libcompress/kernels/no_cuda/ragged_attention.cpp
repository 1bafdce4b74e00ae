// SPDX-License-Identifier: Apache-2.0
#include "kernels/backend.hpp"
#include "kernels/no_cuda/absent.hpp"

namespace kvcal::cuda {

at::Tensor ragged_attention(const at::Tensor&, const CacheLayer&, double) {
  fail_without_cuda();
}

}  // namespace kvcal::cuda
