// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kvcal/compress/error.hpp"

namespace kvcal::cuda {

[[noreturn]] inline void fail_without_cuda() {
  fail(Kind::config, "built without CUDA: configure with KVCAL_CUDA=ON, or run with --device cpu");
}

}  // namespace kvcal::cuda
