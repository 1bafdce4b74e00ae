// SPDX-License-Identifier: Apache-2.0
// Shards: the finished units of a long run, so that a kill costs one unit and not the run.
// Each unit is a small HDF5 file in `<output>.parts/`, written aside and renamed; the final file is
// the merge of all of them in order. Not for several processes on one output: see work.hpp.
//
//   auto shards = Shards::open(output, resolved_config, mode);
//   if (shards.is_finished()) return;
//   for (int64_t i = 0; i < prompts; ++i) {
//     if (!shards.has(i)) shards.write(i, [&](Hdf5Writer& w) { ... });
//   }
//   for (int64_t i = 0; i < prompts; ++i) shards.read(i, [&](const Hdf5Reader& r) { ... });
//   profile.save(output);
//   shards.finish();
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <set>
#include <string>

namespace kvcal {

class Hdf5Reader;  // store/hdf5.hpp
class Hdf5Writer;

/// What to do about an output, or parts of one, that are there already.
enum class OutputMode { fresh, resume, force };

/// For outputs that are written at the end of a run; asked before it starts.
/// @throws Error{input} a folder, or not writable, or there already (fresh)
void check_output(const std::filesystem::path& output, OutputMode mode);

class Shards {
 public:
  /// A `created` output must not exist in mode fresh; an `updated` one (layer-budget adds to a
  /// profile) may.
  enum class Target { created, updated };

  /// Makes the folder, which shows that the output can be written; takes over its shards (resume).
  ///
  /// @param resolved_config  all that decides the result
  /// @throws Error{input}   there already (fresh), or not writable
  ///         Error{config}  resume of a run with another configuration: the first line that differs
  static Shards open(const std::filesystem::path& output, const std::string& resolved_config,
                     OutputMode mode, Target target = Target::created);

  /// Removes the folder if no unit was finished.
  ~Shards();
  Shards(Shards&& other) noexcept;
  Shards& operator=(Shards&&) = delete;

  /// Mode resume found a finished output of the same configuration and no parts: nothing is left to
  /// do.
  bool is_finished() const { return is_finished_; }

  bool has(int64_t unit) const { return units_.contains(unit); }
  int64_t count() const { return static_cast<int64_t>(units_.size()); }

  /// @param fill  writes the unit; it counts as finished when fill returns
  void write(int64_t unit, const std::function<void(Hdf5Writer&)>& fill);

  /// @param take  reads the unit; must change nothing outside before its last read
  /// @return  false: absent, or damaged and now deleted, so that it has to be done again
  bool read(int64_t unit, const std::function<void(const Hdf5Reader&)>& take);

  /// The file of a unit, for another process; `adopt` there makes it a unit of its own.
  std::string bytes(int64_t unit) const;
  void adopt(int64_t unit, const std::string& bytes);
  void forget(int64_t unit);

  /// Call after the output was saved: removes the folder.
  void finish();

 private:
  Shards() = default;
  std::filesystem::path path_of(int64_t unit) const;
  void find_units();

  std::filesystem::path folder_;
  std::set<int64_t> units_;
  bool owns_folder_ = false;  // ours to remove
  bool is_finished_ = false;
};

}  // namespace kvcal
