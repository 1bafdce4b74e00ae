// SPDX-License-Identifier: Apache-2.0
// What each device's kernels supply; ragged_attention.cpp checks the arguments and dispatches.
// kernels/cuda and kernels/no_cuda define the same symbol: the build takes one of the folders.
#pragma once

#include <ATen/core/Tensor.h>

#include "kvcal/compress/compact_cache.hpp"

namespace kvcal::cpu {
at::Tensor ragged_attention(const at::Tensor& queries, const CacheLayer& cache, double scale);
}

namespace kvcal::cuda {
at::Tensor ragged_attention(const at::Tensor& queries, const CacheLayer& cache, double scale);
}
