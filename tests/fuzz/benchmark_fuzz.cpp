// SPDX-License-Identifier: Apache-2.0
// Any bytes as a file of RULER, QuALITY and LongHealth.
#include "fuzz_targets.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  kvcal::fuzz::benchmark_file({data, size});
  return 0;
}
