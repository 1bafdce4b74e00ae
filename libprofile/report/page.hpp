// SPDX-License-Identifier: Apache-2.0
// The page: sections put into the skeleton of page/, with its style, script and plots inside.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "report/section.hpp"

namespace kvcal::report {

/// Sections in their order on the page, with the names of their figures unique; empty ones are left
/// out and explained in `notes`.
struct Contents {
  struct Entry {
    const SectionInfo* info;
    Section section;
  };
  std::vector<Entry> entries;
  std::vector<std::string> notes;

  std::vector<Figure> figures() const;
};

Contents collect(const ReportData& data);

/// @param svg_of  inline SVG of a figure
std::string make_page(const ReportData& data, const Contents& contents,
                      const std::function<std::string(const Figure&)>& svg_of);

/// Replaces each {{name}} of a text once; what is put in is not searched again.
/// @param value_of  throws for a name that it does not know
std::string fill(std::string_view text,
                 const std::function<std::string(std::string_view)>& value_of);

/// "niah, longbench": tasks in order of appearance.
std::string tasks_of(const ReportData& data);

}  // namespace kvcal::report
