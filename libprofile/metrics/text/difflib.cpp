// SPDX-License-Identifier: Apache-2.0
#include "metrics/text/difflib.hpp"

#include <cstdint>
#include <map>
#include <vector>

namespace kvcal::text {
namespace {

/// Where "autojunk" begins: from this length on, characters that make up more than one in a hundred
/// of b start no block.
constexpr size_t kAutojunkLength = 200;

struct Block {
  size_t a, b, size;
};

class Matcher {
 public:
  Matcher(std::u32string_view a, std::u32string_view b) : a_(a), b_(b) {
    for (size_t j = 0; j < b.size(); ++j) places_[b[j]].push_back(j);
    if (b.size() < kAutojunkLength) return;
    const size_t popular = b.size() / 100 + 1;
    std::erase_if(places_, [popular](const auto& entry) { return entry.second.size() > popular; });
  }

  /// Characters in the blocks found by taking the longest one and going on at both of its sides.
  size_t matched(size_t a_begin, size_t a_end, size_t b_begin, size_t b_end) const {
    const Block block = longest(a_begin, a_end, b_begin, b_end);
    if (block.size == 0) return 0;
    return matched(a_begin, block.a, b_begin, block.b) + block.size +
           matched(block.a + block.size, a_end, block.b + block.size, b_end);
  }

 private:
  /// The longest common block, the earliest in a and then in b, from characters that may start one;
  /// then extended by any that agree.
  Block longest(size_t a_begin, size_t a_end, size_t b_begin, size_t b_end) const {
    Block best{a_begin, b_begin, 0};
    std::map<size_t, size_t> lengths;  // end in b -> length of the block that ends there
    for (size_t i = a_begin; i < a_end; ++i) {
      std::map<size_t, size_t> extended;
      const auto places = places_.find(a_[i]);
      if (places != places_.end()) {
        for (size_t j : places->second) {
          if (j < b_begin || j >= b_end) continue;
          const auto before = j > 0 ? lengths.find(j - 1) : lengths.end();
          const size_t length = (before == lengths.end() ? 0 : before->second) + 1;
          extended[j] = length;
          if (length > best.size) best = {i + 1 - length, j + 1 - length, length};
        }
      }
      lengths = std::move(extended);
    }
    while (best.a > a_begin && best.b > b_begin && a_[best.a - 1] == b_[best.b - 1]) {
      --best.a, --best.b, ++best.size;
    }
    while (best.a + best.size < a_end && best.b + best.size < b_end &&
           a_[best.a + best.size] == b_[best.b + best.size]) {
      ++best.size;
    }
    return best;
  }

  std::u32string_view a_, b_;
  std::map<char32_t, std::vector<size_t>> places_;  // of b
};

}  // namespace

double difflib_ratio(std::u32string_view a, std::u32string_view b) {
  const size_t total = a.size() + b.size();
  if (total == 0) return 1;
  const size_t matched = Matcher(a, b).matched(0, a.size(), 0, b.size());
  return 2.0 * static_cast<double>(matched) / static_cast<double>(total);
}

}  // namespace kvcal::text
