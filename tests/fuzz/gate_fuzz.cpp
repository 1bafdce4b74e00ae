// SPDX-License-Identifier: Apache-2.0
#include "fuzz/fuzz_targets.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  kvcal::fuzz::gate({data, size});
  return 0;
}
