// SPDX-License-Identifier: Apache-2.0
// Random numbers from counters: the same on every machine, in any order.
#pragma once

#include <cstdint>

namespace kvcal {

/// Finaliser of splitmix64 (Steele et al., OOPSLA 2014): every input bit reaches every output bit.
inline uint64_t mixed(uint64_t x) {
  x += 0x9E3779B97F4A7C15;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

}  // namespace kvcal
