// SPDX-License-Identifier: Apache-2.0
#include "metrics/text/numbers.hpp"

#include <algorithm>

#include "metrics/text/unicode.hpp"

namespace kvcal::text {

double share_of_numbers(std::string_view prediction, std::u32string_view target) {
  const std::u32string text = code_points(prediction);
  int64_t numbers = 0, equal = 0;
  for (auto begin = text.begin(); begin != text.end();) {
    begin = std::find_if(begin, text.end(), is_digit);
    const auto end = std::find_if_not(begin, text.end(), is_digit);
    if (begin == end) break;
    ++numbers;
    equal += std::u32string_view(begin, end) == target;
    begin = end;
  }
  return numbers == 0 ? 0 : static_cast<double>(equal) / static_cast<double>(numbers);
}

}  // namespace kvcal::text
