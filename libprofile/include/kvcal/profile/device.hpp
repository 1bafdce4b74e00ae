// SPDX-License-Identifier: Apache-2.0
// Device: how much a machine holds and does in a second, from its datasheet (configs/devices) or
// measured here; what duration.hpp predicts with.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kvcal/profile/model.hpp"

namespace kvcal {

/// What a run is expected to reach, not what the hardware could do.
struct Device {
  std::string name;
  int64_t memory_bytes = 0;     ///< 0: unknown
  double matrix_flops = 0;      ///< per second, layers of a prefill but for their attention
  double attention_flops = 0;   ///< per second, causal attention of a prefill
  double column_flops = 0;      ///< per second, queries times keys for sums over columns
  double row_flops = 0;         ///< per second, linear layers of few rows (a decode step)
  double bytes_per_second = 0;  ///< weights and entries that a decode step reads
  double layer_seconds = 0;     ///< of a decode step in one layer, whatever its size
};

/// @param spec           name in configs/devices, or a path ending in .yaml
/// @param element_bytes  of weights and entries: 2 or 4
/// @throws Error{config} unknown name (lists the known ones and the nearest), key or value
Device load_device(std::string_view spec, int64_t element_bytes);

std::vector<std::string> known_devices();

/// This machine, by the kernels of a forward pass at the model's own shapes: about 2 s.
/// Takes as many threads as the process was given. memory_bytes stays 0.
Device measure_cpu(const ModelConfig& model, int64_t element_bytes);

}  // namespace kvcal
