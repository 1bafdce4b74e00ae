// SPDX-License-Identifier: Apache-2.0
#include "shared/threads.hpp"

#include <unistd.h>

#include <climits>
#include <string_view>
#include <vector>

namespace kvcal {

void let_waiting_threads_sleep(int, char** argv, char** environment) {
  std::vector<char*> changed;
  for (char** entry = environment; *entry != nullptr; ++entry) {
    const std::string_view setting = *entry;
    if (setting.starts_with("OMP_WAIT_POLICY=") || setting.starts_with("GOMP_SPINCOUNT=")) return;
    changed.push_back(*entry);
  }
  char policy[] = "OMP_WAIT_POLICY=passive", spins[] = "GOMP_SPINCOUNT=1000";
  changed.insert(changed.end(), {policy, spins, nullptr});
  char program[PATH_MAX] = {};  // not the link itself: its name would become that of the process
  if (readlink("/proc/self/exe", program, sizeof program - 1) <= 0) return;
  execve(program, argv, changed.data());
}

}  // namespace kvcal
