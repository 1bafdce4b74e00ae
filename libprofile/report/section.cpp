// SPDX-License-Identifier: Apache-2.0
#include "report/section.hpp"

namespace kvcal::report {

void Section::add(std::string html) {
  parts.emplace_back(std::move(html));
}

void Section::add(std::optional<Figure> figure) {
  if (figure) parts.emplace_back(*std::move(figure));
}

}  // namespace kvcal::report
