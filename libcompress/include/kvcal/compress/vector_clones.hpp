// SPDX-License-Identifier: Apache-2.0
// KVCAL_CLONES before a function with hot loops: compiled for AVX-512, AVX2 and plain x86-64,
// chosen when the program starts, so that a portable build is fast everywhere.
#pragma once

// Vectors never cross a call that is not inlined, so their calling convention does not matter.
#pragma GCC diagnostic ignored "-Wpsabi"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__)
// Not under AddressSanitizer: the resolvers run before it is set up.
#define KVCAL_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define KVCAL_CLONES
#endif
