// SPDX-License-Identifier: Apache-2.0
// Heartbeat and Pulse: how the processes of a run know which of them live. Who lives counts up;
// who looks compares counts by its own clock, so that clocks of machines need not agree.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "cluster/cluster_store.hpp"

namespace kvcal {

/// Counts up for a member from a thread of its own, until it is destroyed or rank 0 is gone.
class Heartbeat {
 public:
  Heartbeat(ClusterStore store, std::string member, std::chrono::milliseconds interval);
  ~Heartbeat();

 private:
  void beat();

  ClusterStore store_;
  std::string member_;
  std::chrono::milliseconds interval_;
  std::mutex mutex_;
  std::condition_variable stop_;
  bool is_stopped_ = false;
  std::thread thread_;
};

class Pulse {
 public:
  explicit Pulse(std::chrono::milliseconds lease) : lease_(lease) {}

  /// The count changed within the lease, or this is the first look.
  bool is_alive(ClusterStore& store, const std::string& member);

 private:
  struct Look {
    std::string count;
    std::chrono::steady_clock::time_point changed;
  };
  std::chrono::milliseconds lease_;
  std::map<std::string, Look> looks_;
};

}  // namespace kvcal
