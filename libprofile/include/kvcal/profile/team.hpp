// SPDX-License-Identifier: Apache-2.0
// Team: the processes of one run. They find each other, see when one has died, and end with the
// same exit code. What they do together is in work.hpp.
//
// Each process that joins is a member, "<rank>.<n>": a process that is started again under its rank
// is another member.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/launch.hpp"

namespace kvcal {

class ClusterStore;  // cluster/cluster_store.hpp
class Heartbeat;     // cluster/heartbeat.hpp
class Pulse;

/// Thrown on the other ranks when rank 0 has ended the run. No error: it leads out of the work.
struct TeamEnded {
  int exit_code;
};

class Team {
 public:
  static constexpr std::chrono::milliseconds kLease{30000};

  /// A launch of one process is a team of one, without any connection. Of several, rank 0 returns
  /// at once and works; the others return when they have found it.
  /// @param lease  a process that is silent for so long is taken for dead
  /// @throws Error{input}  see ClusterStore::open
  explicit Team(const Launch& launch, std::chrono::milliseconds lease = kLease);
  /// On a store that is there already: a test's processes are threads.
  Team(ClusterStore store, const Launch& launch, std::chrono::milliseconds lease);
  ~Team();
  Team(Team&&) noexcept;

  const Launch& launch() const { return launch_; }
  bool is_root() const { return launch_.is_root(); }
  bool is_alone() const { return launch_.size == 1; }

  /// Rank 0 says what decides the result; the others wait for that.
  /// @throws Error{config}  here it is another: the first line that differs
  void agree(const std::string& resolved_config);

  /// Ends the run on all ranks with this error.
  void fail_all(Kind kind, const std::string& message);

  /// To be called now and then.
  /// @throws Error        on rank 0, what another rank gave to `fail_all`
  ///         TeamEnded    on the others, when rank 0 has ended the run
  ///         Error{input} on the others, when rank 0 is silent
  void check();

  /// Rank 0 tells the others its exit code and stays until they have heard it, or are dead, or have
  /// not joined in the first minute.
  void conclude(int exit_code);

  /// The others: waits until rank 0 concludes.
  /// @param limit  as long at most
  /// @return  rank 0's exit code, unless the limit was reached
  std::optional<int> follow(std::optional<std::chrono::milliseconds> limit = std::nullopt);

  /// What this process has claimed is free for the others; it waits for the end.
  void retire();

  /// Who waits for others sleeps between looks.
  void rest() const;

  /// One more was made here.
  void count_unit();
  /// [size] made by each rank so far.
  std::vector<int64_t> units_by_rank();

  /// For work.hpp.
  ClusterStore& store() { return *store_; }
  const std::string& member() const { return member_; }
  /// Lives and has not retired.
  bool is_alive(const std::string& member);
  int64_t count_alive();

 private:
  void join();
  void leave();
  std::vector<std::string> members();
  bool has_left(const std::string& member);

  Launch launch_;
  std::chrono::milliseconds lease_;
  std::string member_;
  std::chrono::steady_clock::time_point joined_;
  std::unique_ptr<ClusterStore> store_;
  std::unique_ptr<Pulse> pulse_;
  std::unique_ptr<Heartbeat> heartbeat_;
};

}  // namespace kvcal
