// SPDX-License-Identifier: Apache-2.0
// What the machine has.
#pragma once

#include <cstdint>

namespace kvcal {

/// Bytes that a program may still take without swapping; 0 where the system does not tell.
int64_t available_memory();

}  // namespace kvcal
