// SPDX-License-Identifier: Apache-2.0
// WorkQueue: which process does which group of units, and where the records wait. Everything is in
// the team's store; any process may die between any two calls.
//
//   why/<group>     what the last one said that gave it back
//   claim/<group>   absent; "<member>#<tries>" has it; "-#<tries>" gave it back; "done"
//   unit/<unit>     absent; "<member> <receipt>": its record waits; "kept": rank 0 has it
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cluster/cluster_store.hpp"
#include "kvcal/profile/team.hpp"
#include "kvcal/profile/work.hpp"

namespace kvcal {

class WorkQueue {
 public:
  /// @param name  other than that of any queue before
  WorkQueue(Team& team, const std::string& name, std::vector<UnitRange> groups);

  /// Rank 0, when what it has already is marked as kept or delivered; the others wait for it.
  void open();

  /// The next unit for this process: of the group that it has, else of one that it can claim.
  std::optional<int64_t> next();
  /// The same of the group that this process has; claims none.
  std::optional<int64_t> next_of_group();
  /// The groups are done, as far as this process can see; never before `next` gave nothing.
  bool is_exhausted() const { return !held_ && next_fresh_ == groups_.size() && others_.empty(); }
  /// Units below may be made by now.
  int64_t claimed_end() const;

  /// A record for who takes it; of two processes that made one unit, the first one's.
  void deliver(int64_t unit, const std::string& record);
  std::optional<std::string> receive(int64_t unit);
  /// Rank 0 has the record: it need not wait any longer.
  void keep(int64_t unit);

  /// The group cannot be done here, maybe elsewhere: out of memory, a lost device. Where all have
  /// given it back, or kTries processes, `why` ends the run.
  void give_back(const std::string& why);

 private:
  /// After so many processes that died with a group or gave it back, it is the group.
  static constexpr int64_t kTries = 3;

  struct Held {
    size_t group;
    std::string claim;
    int64_t next_unit;
  };

  std::string key(const char* what, int64_t of) const;
  std::string claim_text(int64_t tries) const;
  bool claim(size_t group, const std::string& expected, int64_t tries);
  bool claim_one();
  bool take_over(size_t group);
  void fail(size_t group);

  Team& team_;
  std::string name_;
  std::vector<UnitRange> groups_;
  size_t next_fresh_ = 0;        ///< groups before it were claimed once
  std::set<size_t> others_;      ///< claimed by others, not known to be done
  std::set<size_t> given_back_;  ///< by this process
  std::optional<Held> held_;
};

}  // namespace kvcal
