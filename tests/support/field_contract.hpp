// SPDX-License-Identifier: Apache-2.0
// What the declared fields of every part promise.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>

namespace kvcal::test {

/// A field that another one's values make meaningless names a field of the part, and values that it
/// takes.
/// @param info  of a scorer, an allocator, ...: fields() and make()
template <class PartInfo>
void expect_sound_conditions(const PartInfo& info) {
  const auto fields = info.fields();
  for (const auto& field : fields) {
    const auto& [name, values] = field.unless;
    if (name.empty()) continue;
    const auto other = std::find_if(fields.begin(), fields.end(),
                                    [&](const auto& candidate) { return candidate.name == name; });
    ASSERT_NE(other, fields.end()) << field.name << " unless " << name;
    for (const auto& value : values) {
      EXPECT_NO_THROW(info.make({{name, {value, "test"}}})) << name << " = " << value;
    }
  }
}

}  // namespace kvcal::test
