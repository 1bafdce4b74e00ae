// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/tune.hpp"
#include "store/hdf5.hpp"

namespace kvcal {

void write_losses(Hdf5Writer& file, std::span<const double> losses) {
  file.write("/losses", losses, {static_cast<int64_t>(losses.size())});
}

std::vector<double> read_losses(const Hdf5Reader& file, int64_t count) {
  return file.read<double>("/losses", {count});
}

}  // namespace kvcal
