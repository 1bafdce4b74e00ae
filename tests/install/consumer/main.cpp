// SPDX-License-Identifier: Apache-2.0
#include <ATen/core/Tensor.h>
#include <ATen/ops/ones.h>

#include <cstdio>

#include "kvcal/profile/resources.hpp"

int main() {
  std::printf("%s, sum %d\n", kvcal::resource("data/needles").filename().c_str(),
              at::ones({2, 3}).sum().item<int>());
}
