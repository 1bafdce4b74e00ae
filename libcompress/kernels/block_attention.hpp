// SPDX-License-Identifier: Apache-2.0
// Causal attention made of ATen operators: for devices without a kernel of their own.
#pragma once

#include <ATen/core/Tensor.h>

namespace kvcal {

/// As causal_attention, on any device. In f32: a block of rows is multiplied, normalised,
/// multiplied and forgotten.
at::Tensor attend_by_blocks(const at::Tensor& queries, const at::Tensor& keys,
                            const at::Tensor& values, double scale);

}  // namespace kvcal
