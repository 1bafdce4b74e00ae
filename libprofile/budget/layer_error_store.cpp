// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/layer_budget.hpp"
#include "store/hdf5.hpp"

namespace kvcal {

void write_layer_error(Hdf5Writer& file, const LayerErrorSample& sample) {
  file.write_scalar<std::string>("/prompt_sha256", sample.prompt_sha256);
  file.write<double>("/sum", sample.sum, {static_cast<int64_t>(sample.sum.size())});
  file.write<double>("/curve", sample.curve, {static_cast<int64_t>(sample.curve.size())});
  file.write_scalar<int64_t>("/steps", sample.steps);
}

LayerErrorSample read_layer_error(const Hdf5Reader& file, int64_t layers, int64_t points) {
  LayerErrorSample sample;
  sample.prompt_sha256 = file.read_scalar<std::string>("/prompt_sha256");
  sample.sum = file.read<double>("/sum", {layers});
  sample.curve = file.read<double>("/curve", {layers * points});
  sample.steps = file.read_scalar<int64_t>("/steps");
  return sample;
}

}  // namespace kvcal
