// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/shards.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>

#include "config/first_difference.hpp"
#include "kvcal/compress/error.hpp"
#include "store/hdf5.hpp"

namespace kvcal {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kShardFormat = "kvcal.shard";
constexpr int64_t kShardVersion = 1;

fs::path folder_of(const fs::path& output) {
  return output.string() + ".parts";
}

void require_place(const fs::path& output) {
  require(!output.empty(), Kind::config, "no output file is named");
  const fs::path folder = output.has_parent_path() ? output.parent_path() : fs::path(".");
  require(fs::is_directory(folder), Kind::input, "{}: cannot be written: there is no folder {}",
          output.string(), folder.string());
  require(!fs::is_directory(output), Kind::input, "{}: cannot be written: it is a folder",
          output.string());
}

void require_absent(const fs::path& output) {
  require(!fs::exists(output), Kind::input, "{}: exists already; use --resume or --force",
          output.string());
}

std::string read_text(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

/// Aside and renamed, as everything that a later run relies on.
void write_text(const fs::path& file, const std::string& text) {
  const fs::path aside = fmt::format("{}.tmp-{}", file.string(), ::getpid());
  std::ofstream stream(aside, std::ios::binary);
  stream << text;
  stream.close();
  std::error_code error;
  if (stream) fs::rename(aside, file, error);
  require(stream.good() && !error, Kind::input, "{}: cannot be written: {}", file.string(),
          error ? error.message() : std::strerror(errno));
}

void require_same_config(const std::string& before, const std::string& now, const fs::path& where) {
  const auto difference = first_difference(before, now);
  if (!difference) return;
  fail(Kind::config,
       "{}: cannot resume, the configuration differs in line {}: it was '{}', now it is '{}'; "
       "use the same configuration, or --force to start over",
       where.string(), difference->line, difference->before, difference->now);
}

/// Nobody else's folder of that name may be emptied.
void require_ours(const fs::path& folder) {
  if (!fs::exists(folder)) return;
  const bool is_ours =
      fs::is_directory(folder) && (fs::is_empty(folder) || fs::exists(folder / "config"));
  require(is_ours, Kind::input, "{}: is in the way, it is no folder of parts of ours",
          folder.string());
}

bool is_sound(const fs::path& shard) {
  try {
    Hdf5Reader(shard).require_format(kShardFormat, kShardVersion);
    return true;
  } catch (const Error&) {
    return false;
  }
}

std::string config_of_output(const fs::path& output) {
  return Hdf5Reader(output).attribute<std::string>("/", "resolved_config");
}

}  // namespace

void check_output(const fs::path& output, OutputMode mode) {
  require_place(output);
  if (mode == OutputMode::fresh) require_absent(output);
  const fs::path probe = fmt::format("{}.tmp-{}", output.string(), ::getpid());
  const bool is_writable = std::ofstream(probe).is_open();
  const int error = errno;
  std::error_code ignored;
  fs::remove(probe, ignored);
  require(is_writable, Kind::input, "{}: cannot be written: {}", output.string(),
          std::strerror(error));
}

Shards Shards::open(const fs::path& output, const std::string& resolved_config, OutputMode mode,
                    Target target) {
  require_place(output);
  Shards shards;
  shards.folder_ = folder_of(output);
  const fs::path config = shards.folder_ / "config";
  if (mode != OutputMode::force) shards.find_units();
  if (mode == OutputMode::fresh) {
    if (target == Target::created) require_absent(output);
    require(shards.units_.empty(), Kind::input,
            "{}: holds {} finished parts of an earlier run; use --resume to go on with it or "
            "--force to "
            "start over",
            shards.folder_.string(), shards.units_.size());
  }
  if (mode == OutputMode::resume && !shards.units_.empty()) {
    require_same_config(read_text(config), resolved_config, shards.folder_);
    shards.owns_folder_ = true;
    return shards;
  }
  if (mode == OutputMode::resume && target == Target::created && fs::exists(output)) {
    require_same_config(config_of_output(output), resolved_config, output);
    shards.is_finished_ = true;
    return shards;
  }
  require_ours(shards.folder_);
  std::error_code error;
  fs::remove_all(shards.folder_, error);
  if (!error) fs::create_directory(shards.folder_, error);
  require(!error, Kind::input, "{}: cannot be written: {}", output.string(), error.message());
  shards.owns_folder_ = true;
  write_text(config, resolved_config);
  return shards;
}

Shards::Shards(Shards&& other) noexcept
    : folder_(std::move(other.folder_)),
      units_(std::move(other.units_)),
      owns_folder_(std::exchange(other.owns_folder_, false)),
      is_finished_(other.is_finished_) {}

Shards::~Shards() {
  if (!owns_folder_ || !units_.empty()) return;
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

fs::path Shards::path_of(int64_t unit) const {
  return folder_ / fmt::format("{:08}.h5", unit);
}

/// A damaged shard is deleted: its unit is done again.
void Shards::find_units() {
  if (!fs::is_directory(folder_)) return;
  for (const auto& entry : fs::directory_iterator(folder_)) {
    if (entry.path().extension() != ".h5") continue;
    const std::string stem = entry.path().stem().string();
    int64_t unit = -1;
    std::from_chars(stem.data(), stem.data() + stem.size(), unit);
    if (unit < 0 || entry.path() != path_of(unit)) continue;
    if (is_sound(entry.path())) {
      units_.insert(unit);
    } else {
      fs::remove(entry.path());
    }
  }
}

void Shards::write(int64_t unit, const std::function<void(Hdf5Writer&)>& fill) {
  Hdf5Writer writer(path_of(unit));
  writer.write_attribute("/", "format", fmt::format("{}/{}", kShardFormat, kShardVersion));
  fill(writer);
  writer.finish();
  units_.insert(unit);
}

bool Shards::read(int64_t unit, const std::function<void(const Hdf5Reader&)>& take) {
  if (!has(unit)) return false;
  try {
    take(Hdf5Reader(path_of(unit)));
    return true;
  } catch (const Error& error) {
    if (error.kind() != Kind::input) throw;
    forget(unit);
    return false;
  }
}

std::string Shards::bytes(int64_t unit) const {
  return read_text(path_of(unit));
}

void Shards::adopt(int64_t unit, const std::string& bytes) {
  write_text(path_of(unit), bytes);
  units_.insert(unit);
}

void Shards::forget(int64_t unit) {
  units_.erase(unit);
  fs::remove(path_of(unit));
}

void Shards::finish() {
  if (!owns_folder_) return;
  std::error_code error;
  fs::remove_all(folder_, error);
  require(!error, Kind::input, "{}: cannot be removed: {}", folder_.string(), error.message());
  units_.clear();
  owns_folder_ = false;
}

}  // namespace kvcal
