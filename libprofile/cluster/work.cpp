// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/work.hpp"

#include <unistd.h>

#include <algorithm>
#include <new>
#include <set>

#include "cluster/work_queue.hpp"
#include "kvcal/compress/parallel.hpp"
#include "store/hdf5.hpp"

namespace kvcal {
namespace fs = std::filesystem;
namespace {

/// The others' records pass through a folder of their own.
Shards open_shards(const Team& team, const fs::path& output, const std::string& resolved_config,
                   OutputMode mode, Shards::Target target) {
  if (team.is_root()) return Shards::open(output, resolved_config, mode, target);
  const auto scratch =
      fs::temp_directory_path() / fmt::format("kvcal-rank-{}-{}.h5", team.launch().rank, getpid());
  return Shards::open(scratch, resolved_config, OutputMode::force, Shards::Target::updated);
}

/// One call of Work::run on one process.
class Round {
 public:
  Round(Team& team, Shards& shards, const std::string& name, const std::vector<UnitRange>& groups,
        const UnitWork& work, Work::Takes takes)
      : team_(team),
        shards_(shards),
        work_(work),
        is_shared_(takes == Work::Takes::everywhere),
        takes_(team.is_root() || is_shared_),
        next_(groups.front().begin),
        end_(groups.back().end),
        queue_(team, name, cut_to_share(groups, team.launch().size)) {}

  void run() {
    if (team_.is_root()) offer_what_is_there();
    queue_.open();
    while (true) {
      team_.check();
      if (takes_) receive_records();
      if (takes_ ? !take_in_order() : queue_.is_exhausted()) return;
      if (const auto unit = queue_.next()) {
        make(with_more(*unit));
      } else if (next_ < end_) {
        team_.rest();
      }
    }
  }

 private:
  /// Of an earlier run: nobody need make it.
  void offer_what_is_there() {
    for (int64_t unit = next_; unit < end_; ++unit) {
      if (!shards_.has(unit)) continue;
      earlier_.insert(unit);
      if (is_shared_) {
        queue_.deliver(unit, shards_.bytes(unit));
      } else {
        queue_.keep(unit);
      }
    }
  }

  /// As many of its group as are made at once.
  std::vector<int64_t> with_more(int64_t unit) {
    std::vector<int64_t> units{unit};
    while (static_cast<int64_t>(units.size()) < work_.at_once) {
      const auto next = queue_.next_of_group();
      if (!next) break;
      units.push_back(*next);
    }
    return units;
  }

  void make(const std::vector<int64_t>& units) {
    std::vector<WriteRecord> records(units.size());
    size_t written = 0;
    try {
      share_out(static_cast<int64_t>(units.size()), [&](int64_t task) {
        const auto i = static_cast<size_t>(task);
        records[i] = work_.make(units[i]);
      });
      for (; written < units.size(); ++written) shards_.write(units[written], records[written]);
    } catch (const Error& error) {
      if (team_.is_root()) throw;
      team_.fail_all(error.kind(), error.what());
      throw TeamEnded{team_.follow().value()};
    } catch (const std::exception& error) {
      if (team_.is_alone()) throw;
      const bool is_memory = dynamic_cast<const std::bad_alloc*>(&error) != nullptr;
      const auto failed = std::ranges::find_if(records, [](const auto& record) { return !record; });
      const auto at =
          failed == records.end() ? written : static_cast<size_t>(failed - records.begin());
      return queue_.give_back(fmt::format("rank {}, prompt {}: {}", team_.launch().rank,
                                          units[at] + 1,
                                          is_memory ? "out of memory" : error.what()));
    }
    for (const int64_t unit : units) {
      team_.count_unit();
      if (!team_.is_root() || is_shared_) queue_.deliver(unit, shards_.bytes(unit));
      if (!takes_) shards_.forget(unit);
    }
  }

  /// Also those that it is not the turn of, so that they outlive this process.
  void receive_records() {
    if (team_.is_alone()) return;
    for (int64_t unit = next_; unit < queue_.claimed_end(); ++unit) {
      if (shards_.has(unit)) continue;
      const auto record = queue_.receive(unit);
      if (!record) continue;
      shards_.adopt(unit, *record);
      if (!is_shared_) queue_.keep(unit);
    }
  }

  /// @return  there is more to take
  bool take_in_order() {
    for (; next_ < end_ && shards_.has(next_); ++next_) {
      const auto take = [&](const Hdf5Reader& file) { work_.take(next_, file); };
      if (!shards_.read(next_, take)) {
        earlier_.erase(next_);
        shards_.write(next_, work_.make(next_));
        require(shards_.read(next_, take), Kind::internal, "unit {} cannot be read back", next_);
      }
      if (!work_.after(next_, !earlier_.contains(next_))) return false;
    }
    return next_ < end_;
  }

  Team& team_;
  Shards& shards_;
  const UnitWork& work_;
  bool is_shared_, takes_;
  int64_t next_, end_;
  std::set<int64_t> earlier_;  ///< units of an earlier run
  WorkQueue queue_;
};

}  // namespace

std::vector<UnitRange> unit_groups(int64_t begin, int64_t end, int64_t units) {
  std::vector<UnitRange> groups;
  for (; begin < end; begin += units) groups.push_back({begin, std::min(begin + units, end)});
  return groups;
}

std::vector<UnitRange> single_units(int64_t begin, int64_t end) {
  return unit_groups(begin, end, 1);
}

std::vector<UnitRange> cut_to_share(const std::vector<UnitRange>& groups, int64_t processes) {
  if (processes <= 1 || groups.empty()) return groups;
  // Twice as many pieces as processes: who is done first can take another.
  const int64_t pieces = 2 * processes;
  const int64_t units = groups.back().end - groups.front().begin;
  const int64_t most = (units + pieces - 1) / pieces;
  std::vector<UnitRange> cut;
  for (auto [begin, end] : groups) {
    for (; end - begin > most; begin += most) cut.push_back({begin, begin + most});
    cut.push_back({begin, end});
  }
  return cut;
}

Work::Work(Team& team, const fs::path& output, const std::string& resolved_config, OutputMode mode,
           Shards::Target target)
    : team_(team), shards_(open_shards(team, output, resolved_config, mode, target)) {
  team_.agree(resolved_config);
}

void Work::run(const std::vector<UnitRange>& groups, const UnitWork& work, Takes takes) {
  const std::string name = fmt::format("run/{}", runs_++);
  if (!groups.empty()) Round(team_, shards_, name, groups, work, takes).run();
}

}  // namespace kvcal
