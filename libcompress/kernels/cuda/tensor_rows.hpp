// SPDX-License-Identifier: Apache-2.0
// Torch side of the CUDA kernels: tensors as rows. The kernels work on the default stream of the
// current device, which is Torch's current one unless a caller changed it: so c10 alone is linked,
// not c10_cuda.
#pragma once

#include <ATen/core/Tensor.h>

#include "kernels/cuda/rows.hpp"
#include "kvcal/compress/error.hpp"

namespace kvcal::cuda {

inline Rows rows_of(const at::Tensor& tensor) {
  return {tensor.const_data_ptr(), tensor.stride(0), tensor.stride(1)};
}

inline Element element_of(at::ScalarType dtype) {
  if (dtype == at::kFloat) return Element::f32;
  return dtype == at::kBFloat16 ? Element::bf16 : Element::f16;
}

inline void require_head_dim(int64_t head_dim) {
  require(head_dim <= kMaxHeadDim, Kind::config, "head_dim = {}, the CUDA kernels take up to {}",
          head_dim, kMaxHeadDim);
}

/// @param problem  null, or what CUDA said when a kernel was started
inline void require_started(const char* problem, const char* what, const at::Tensor& on) {
  require(problem == nullptr, Kind::internal, "{} on {}: {}", what, on.device().str(),
          problem == nullptr ? "" : problem);
}

}  // namespace kvcal::cuda
