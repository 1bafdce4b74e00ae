// SPDX-License-Identifier: Apache-2.0
#include "cluster/heartbeat.hpp"

#include "kvcal/compress/error.hpp"

namespace kvcal {
namespace {

using std::chrono::steady_clock;

std::string beats_of(const std::string& member) {
  return "beats/" + member;
}

}  // namespace

Heartbeat::Heartbeat(ClusterStore store, std::string member, std::chrono::milliseconds interval)
    : store_(std::move(store)),
      member_(std::move(member)),
      interval_(interval),
      thread_([this] { beat(); }) {}

Heartbeat::~Heartbeat() {
  {
    const std::lock_guard lock(mutex_);
    is_stopped_ = true;
  }
  stop_.notify_all();
  thread_.join();
}

void Heartbeat::beat() {
  std::unique_lock lock(mutex_);
  while (!is_stopped_) {
    try {
      store_.add(beats_of(member_), 1);
    } catch (const Error&) {
      return;  // rank 0 is gone: whoever works finds out and says it
    }
    stop_.wait_for(lock, interval_, [this] { return is_stopped_; });
  }
}

bool Pulse::is_alive(ClusterStore& store, const std::string& member) {
  const std::string count = store.find(beats_of(member)).value_or("");
  const auto now = steady_clock::now();
  const auto [look, is_first] = looks_.try_emplace(member, Look{count, now});
  if (is_first || look->second.count != count) look->second = {count, now};
  return now - look->second.changed < lease_;
}

}  // namespace kvcal
