// SPDX-License-Identifier: Apache-2.0
#include "engine/peak_memory.hpp"

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <algorithm>
#include <fstream>
#include <string>

#include "kvcal/profile/statistics.hpp"

namespace kvcal {
namespace {

/// A line `Name:  123 kB` of /proc/self/status, in bytes.
double status_bytes(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(name + ":")) return std::stod(line.substr(name.size() + 1)) * 1024;
  }
  return kNaN;
}

/// VmHWM := VmRSS, see proc(5).
bool restart_high_water_mark() {
  std::ofstream file("/proc/self/clear_refs");
  file << "5" << std::flush;
  return file.good();
}

void release_freed_memory() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

}  // namespace

PeakMemory::PeakMemory() {
  release_freed_memory();
  start_bytes_ = restart_high_water_mark() ? status_bytes("VmRSS") : kNaN;
}

double PeakMemory::rise_bytes() const {
  return std::max(status_bytes("VmHWM") - start_bytes_, 0.0);
}

}  // namespace kvcal
