// SPDX-License-Identifier: Apache-2.0
// Arrays of numbers in NumPy's .npy format, as np.save writes them: f32 or f64, little-endian,
// row-major.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kvcal {

struct NpyArray {
  std::vector<int64_t> shape;
  std::vector<double> values;  ///< row-major
};

bool is_npy(std::string_view bytes);

/// @param file  for messages
/// @throws Error{input} damaged, truncated, another type or order
NpyArray parse_npy(std::string_view bytes, const std::string& file);

}  // namespace kvcal
