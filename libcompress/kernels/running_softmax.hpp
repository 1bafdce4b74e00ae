// SPDX-License-Identifier: Apache-2.0
// The arithmetic of a softmax that sees its logits one by one: the part of the CUDA kernels that a
// test on the CPU can check. No Torch headers: nvcc reads this file.
#pragma once

#include <cmath>

#ifdef __CUDACC__
#define KVCAL_HOST_DEVICE __host__ __device__
#else
#define KVCAL_HOST_DEVICE
#endif

namespace kvcal {

struct RunningSoftmax {
  /// Factors on what was gathered before and on what is new.
  struct Step {
    float before, added;
  };

  float maximum = -INFINITY;
  float sum = 0;  ///< of exp(logit - maximum)

  /// Takes one more logit in; -inf hides an entry, NaN spoils the sum.
  KVCAL_HOST_DEVICE Step take(float logit) {
    if (logit == -INFINITY) return {1, 0};
    if (logit <= maximum) {
      const float weight = expf(logit - maximum);
      sum += weight;
      return {1, weight};
    }
    const float before = expf(maximum - logit);  // 0 for the first logit
    sum = sum * before + 1;
    maximum = logit;
    return {before, 1};
  }

  /// The probability of a logit once all were taken.
  KVCAL_HOST_DEVICE float share(float logit) const { return expf(logit - maximum) / sum; }

  /// Takes in what another one saw.
  KVCAL_HOST_DEVICE Step merge(const RunningSoftmax& other) {
    if (other.maximum == -INFINITY) return {1, 0};
    if (maximum == -INFINITY) {
      *this = other;
      return {0, 1};
    }
    const float joint = fmaxf(maximum, other.maximum);
    const Step step{expf(maximum - joint), expf(other.maximum - joint)};
    sum = sum * step.before + other.sum * step.added;
    maximum = joint;
    return step;
  }
};

}  // namespace kvcal
