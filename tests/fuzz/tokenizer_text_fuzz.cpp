// SPDX-License-Identifier: Apache-2.0
// Any bytes as text for tokenizers of every kind.
#include "fuzz/fuzz_targets.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  kvcal::fuzz::tokenizer_text({data, size});
  return 0;
}
