// SPDX-License-Identifier: Apache-2.0
// How far the resident memory of this process rises over a stretch of work (Linux).
#pragma once

namespace kvcal {

class PeakMemory {
 public:
  /// Gives freed memory back to the system and starts the kernel's high-water mark anew.
  PeakMemory();

  /// Highest resident memory since then, above that at the start; NaN where the system does not
  /// tell. Host memory only.
  double rise_bytes() const;

 private:
  double start_bytes_;
};

}  // namespace kvcal
