// SPDX-License-Identifier: Apache-2.0
#include "kernels/backend.hpp"
#include "kernels/no_cuda/absent.hpp"

namespace kvcal::cuda {

void add_column_sums(const at::Tensor&, const at::Tensor&, double, at::Tensor&) {
  fail_without_cuda();
}

at::Tensor pooled_window_mass(const at::Tensor&, const at::Tensor&, double, Pool, int64_t) {
  fail_without_cuda();
}

}  // namespace kvcal::cuda
