// SPDX-License-Identifier: Apache-2.0
// x W^T + b: by the fastest product LibTorch has for device and dtype, or row by row (kernels.hpp,
// row_product), where a row must have the same bits in every batch.
#pragma once

#include <ATen/core/Tensor.h>

namespace kvcal {

/// @param x       [rows, in], contiguous
/// @param weight  [out, in], contiguous
/// @param bias    [out] or undefined
/// @return  [rows, out]
at::Tensor project(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

/// x W^T summed and kept in f32: logits of 20 rounded to bf16 would tie in steps of 0.125.
/// @return  [rows, out] f32
at::Tensor project_to_f32(const at::Tensor& x, const at::Tensor& weight);

/// The same two for decode steps: a row's result does not depend on the other rows.
at::Tensor project_rows(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);
at::Tensor project_rows_to_f32(const at::Tensor& x, const at::Tensor& weight);

}  // namespace kvcal
