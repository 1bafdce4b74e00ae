// SPDX-License-Identifier: Apache-2.0
// ClusterStore: small values by key that all processes of a run see, kept by rank 0 (c10d's
// TCPStore). The one place that knows c10d. No call waits for a key; who waits asks again.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "kvcal/profile/launch.hpp"

namespace kvcal {

/// Every call throws Error{input} when rank 0 is gone. Safe from several threads.
class ClusterStore {
 public:
  /// Rank 0 opens the store, the others find it, also when they start first.
  /// @throws Error{input}  the port is taken; rank 0 did not appear
  static ClusterStore open(const Launch& launch);
  /// Of one process: a run alone, and tests.
  static ClusterStore in_memory();
  /// A connection of its own, so that a thread need not wait for the answers of another.
  ClusterStore another() const;

  std::optional<std::string> find(const std::string& key);
  void set(const std::string& key, const std::string& value);
  void remove(const std::string& key);
  /// @return  the new value; an absent one counts as 0
  int64_t add(const std::string& key, int64_t summand);
  /// Sets `key` if it is `expected`, where "" is an absent key.
  /// @return  it was
  bool replace(const std::string& key, const std::string& expected, const std::string& value);

  /// Bytes of any number, in pieces that the store takes, under names that begin with `key`.
  /// @return  what `find_bytes` and `remove_bytes` ask for
  std::string set_bytes(const std::string& key, const std::string& bytes);
  std::string find_bytes(const std::string& key, const std::string& receipt);
  void remove_bytes(const std::string& key, const std::string& receipt);

 private:
  struct Impl;
  explicit ClusterStore(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<Impl> impl_;
};

}  // namespace kvcal
