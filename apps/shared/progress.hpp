// SPDX-License-Identifier: Apache-2.0
// Progress on stderr: a bar with the current estimate and time left on a terminal, one plain line
// per finished unit elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace kvcal {

class Progress {
 public:
  Progress(std::string label, int64_t total, bool is_quiet);
  ~Progress();

  /// A unit is finished. @param estimate  what the numbers look like so far
  /// @param is_new  false for a unit taken over from an earlier run (it does not count for the time
  /// left)
  void step(const std::string& estimate, bool is_new = true);

  /// So many units are still to come: not always known at the start.
  void expect(int64_t units) { total_ = done_ + units; }

 private:
  std::string time_left() const;

  std::string label_;
  int64_t total_;
  int64_t done_ = 0, done_now_ = 0;
  bool is_quiet_;
  bool is_terminal_;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace kvcal
