// SPDX-License-Identifier: Apache-2.0
// Work: the units (prompts) of a run, done by all processes of a team and taken in one order, so
// that one process and many end in the same bytes.
//
// All processes go through the same calls. Groups of units wait in a queue; who is free claims the
// next one. What a unit gives is a small record, its shard; records travel to rank 0, which alone
// has the output. Units of a process that died are done by the others.
//
//   Work work(team, output, resolved_config, mode);
//   if (work.is_finished()) return;
//   work.run(single_units(0, prompts), {.make = .., .take = .., .after = ..});
//   if (!team.is_root()) return;
//   profile.save(output);
//   work.finish();
#pragma once

#include <functional>
#include <vector>

#include "kvcal/profile/shards.hpp"
#include "kvcal/profile/team.hpp"

namespace kvcal {

/// Units begin .. end - 1, which one process does one after the other where it can.
struct UnitRange {
  int64_t begin, end;

  bool operator==(const UnitRange&) const = default;
};
std::vector<UnitRange> single_units(int64_t begin, int64_t end);
/// Of so many units each, but for the last one.
std::vector<UnitRange> unit_groups(int64_t begin, int64_t end, int64_t units);

/// In pieces, so that each of `processes` gets a part of the whole also where one group is most of
/// it.
std::vector<UnitRange> cut_to_share(const std::vector<UnitRange>& groups, int64_t processes);

using WriteRecord = std::function<void(Hdf5Writer& file)>;

/// What becomes of each unit.
struct UnitWork {
  /// Does the work, on whichever process; safe from `at_once` threads.
  /// @return  what writes the record of it
  std::function<WriteRecord(int64_t unit)> make;
  /// Reads the record; must change nothing outside before its last read, since a damaged one is
  /// made again.
  std::function<void(int64_t unit, const Hdf5Reader& file)> take;
  /// Units come here in order, after they were taken. @param is_new  made in this run
  /// @return  go on; false leaves the rest undone
  std::function<bool(int64_t unit, bool is_new)> after;
  /// Units of a group that are made at the same time, on a thread each: short ones leave threads
  /// waiting for each other, several of them do not.
  int64_t at_once = 1;
};

class Work {
 public:
  /// Who takes the records: rank 0, or all, where the further course of the run depends on them.
  enum class Takes { at_root, everywhere };

  /// Throws as Shards::open on rank 0, as Team::agree on the others.
  Work(Team& team, const std::filesystem::path& output, const std::string& resolved_config,
       OutputMode mode, Shards::Target target = Shards::Target::created);

  /// See Shards.
  bool is_finished() const { return shards_.is_finished(); }

  /// @param groups  in order, without gaps
  /// @throws Error  what make throws on any rank, on rank 0; TeamEnded on the others
  void run(const std::vector<UnitRange>& groups, const UnitWork& work,
           Takes takes = Takes::at_root);

  void finish() { shards_.finish(); }

 private:
  Team& team_;
  Shards shards_;
  int64_t runs_ = 0;
};

}  // namespace kvcal
