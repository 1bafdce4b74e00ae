// SPDX-License-Identifier: Apache-2.0
#include "shared/machine.hpp"

#include <fstream>
#include <string>

namespace kvcal {

int64_t available_memory() {
  std::ifstream file("/proc/meminfo");
  std::string name;
  int64_t kibibytes = 0;
  for (std::string unit; file >> name >> kibibytes; std::getline(file, unit)) {
    if (name == "MemAvailable:") return kibibytes * 1024;
  }
  return 0;
}

}  // namespace kvcal
