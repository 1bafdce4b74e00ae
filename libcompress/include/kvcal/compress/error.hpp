// SPDX-License-Identifier: Apache-2.0
// The one exception type of kvcal, and `require`, the one way to throw it.
// Not for expected absence (use std::optional) and not for bugs found by assert in debug builds.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvcal {

/// Who has to act: the caller's configuration, the input data, a tensor's shape, a number, or we.
enum class Kind { config, input, shape, numeric, internal };

class Error : public std::runtime_error {
 public:
  Error(Kind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  Kind kind() const noexcept { return kind_; }

 private:
  Kind kind_;
};

/// Throws Error{kind, message}. The message says what is wrong, the value, what would be right,
/// where.
template <class... Args>
[[noreturn]] void fail(Kind kind, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(kind, fmt::format(format, std::forward<Args>(args)...));
}

template <class... Args>
void require(bool condition, Kind kind, fmt::format_string<Args...> format, Args&&... args) {
  if (!condition) throw Error(kind, fmt::format(format, std::forward<Args>(args)...));
}

/// The known name nearest to `name` (edit distance), as ", did you mean 'x'?"; empty if none is
/// near.
std::string nearest_hint(std::string_view name, const std::vector<std::string>& known);

}  // namespace kvcal
