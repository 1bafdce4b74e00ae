// SPDX-License-Identifier: Apache-2.0
#include "metrics/text/numbers.hpp"

#include <algorithm>

#include "kvcal/compress/error.hpp"
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

std::u32string number_behind(std::u32string_view marker, std::string_view reference) {
  const std::u32string text = code_points(reference);
  for (size_t at = text.find(marker); at != text.npos; at = text.find(marker, at + 1)) {
    const auto begin = text.begin() + static_cast<ptrdiff_t>(at + marker.size());
    const auto end = std::find_if_not(begin, text.end(), is_digit);
    if (begin != end) return {begin, end};
  }
  fail(Kind::input, "reference '{}' has no '{}' with a number", reference, to_utf8(marker));
}

}  // namespace kvcal::text
