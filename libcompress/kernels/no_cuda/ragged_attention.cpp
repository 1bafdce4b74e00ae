// SPDX-License-Identifier: Apache-2.0
#include "kernels/backend.hpp"
#include "kvcal/compress/error.hpp"

namespace kvcal::cuda {

at::Tensor ragged_attention(const at::Tensor&, const CacheLayer&, double) {
  fail(Kind::config, "built without CUDA: configure with KVCAL_CUDA=ON, or run with --device cpu");
}

}  // namespace kvcal::cuda
