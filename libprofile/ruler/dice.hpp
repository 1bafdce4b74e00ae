// SPDX-License-Identifier: Apache-2.0
// Draws by counter: the same on every platform, which the distributions of <random> are not.
#pragma once

#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/statistics.hpp"

namespace kvcal::ruler {

class Dice {
 public:
  explicit Dice(uint64_t seed) : seed_(seed) {}

  /// 0 .. n - 1, n >= 1
  int64_t below(int64_t n) {
    return static_cast<int64_t>(random_bits(seed_, counter_++) % static_cast<uint64_t>(n));
  }

  template <class T>
  const T& pick(const std::vector<T>& values) {
    return values[static_cast<size_t>(below(static_cast<int64_t>(values.size())))];
  }

  template <class T>
  void shuffle(std::vector<T>& values) {
    for (size_t i = values.size(); i > 1; --i) {
      std::swap(values[i - 1], values[static_cast<size_t>(below(static_cast<int64_t>(i)))]);
    }
  }

  /// `count` different numbers below n in the order drawn, count <= n
  std::vector<int64_t> distinct(int64_t count, int64_t n) {
    require(count <= n, Kind::internal, "{} different numbers drawn from {}", count, n);
    std::vector<int64_t> numbers(static_cast<size_t>(n));
    std::iota(numbers.begin(), numbers.end(), 0);
    shuffle(numbers);
    numbers.resize(static_cast<size_t>(count));
    return numbers;
  }

 private:
  uint64_t seed_, counter_ = 0;
};

}  // namespace kvcal::ruler
