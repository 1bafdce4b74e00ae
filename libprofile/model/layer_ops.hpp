// SPDX-License-Identifier: Apache-2.0
// The memory-bound steps of a decoder layer between its matrix products. On the CPU each is one
// pass over its rows; elsewhere it is composed of ATen operations with the same roundings.
#pragma once

#include <ATen/core/Tensor.h>

namespace kvcal {

/// weight * x / rms(x) over the last dimension; mean and root in f32, rounded to the dtype of x
/// before the weight as transformers does.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps);

/// silu(gate) * up, silu rounded to the dtype before the product as transformers does.
/// @param gate_up  [tokens, 2 * intermediate]
/// @return  [tokens, intermediate]
at::Tensor gated_silu(const at::Tensor& gate_up);

}  // namespace kvcal
