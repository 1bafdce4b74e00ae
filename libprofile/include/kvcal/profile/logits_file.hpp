// SPDX-License-Identifier: Apache-2.0
// HDF5 file of logits: /tokens [tokens] i32, /logits [tokens, vocab] f32.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <span>

namespace kvcal {

/// @param logits  [tokens, vocab] f32
void save_logits(const std::filesystem::path& file, std::span<const int64_t> ids,
                 const at::Tensor& logits);

}  // namespace kvcal
