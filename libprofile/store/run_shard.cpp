// SPDX-License-Identifier: Apache-2.0
// Runs divided into shards (kv-eval --shard), and their merge.
#include <algorithm>
#include <charconv>
#include <sstream>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/results.hpp"

namespace kvcal {
namespace {

std::optional<int64_t> parse_integer(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool is_whole = error == std::errc() && end == text.data() + text.size();
  return is_whole ? std::optional(value) : std::nullopt;
}

void require_equal(const std::string& first, const std::string& other, std::string_view what,
                   const std::filesystem::path& first_file, const std::filesystem::path& file) {
  require(first == other, Kind::input, "{}: {} = '{}', but {} has '{}': not of one run",
          file.string(), what, other, first_file.string(), first);
}

/// Lines of what decides the result, apart from which shard it is.
std::vector<std::string> config_lines(const Results& results) {
  std::istringstream text(results.provenance.resolved_config);
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) {
    if (line + "\n" != results.shard->config_line()) lines.push_back(line);
  }
  return lines;
}

void require_one_run(const Results& first, const Results& other,
                     const std::filesystem::path& first_file, const std::filesystem::path& file) {
  require_same_model(other.model, first.model, file);
  require_equal(first.provenance.dtype, other.provenance.dtype, "dtype", first_file, file);
  require_equal(first.provenance.device, other.provenance.device, "device", first_file, file);
  const auto lines = config_lines(first), other_lines = config_lines(other);
  for (size_t i = 0; i < std::max(lines.size(), other_lines.size()); ++i) {
    require_equal(i < lines.size() ? lines[i] : "(nothing)",
                  i < other_lines.size() ? other_lines[i] : "(nothing)", "the configuration",
                  first_file, file);
  }
}

}  // namespace

RunShard RunShard::parse(std::string_view text) {
  const size_t slash = text.find('/');
  const auto index = parse_integer(text.substr(0, slash));
  const auto count = slash == text.npos ? std::nullopt : parse_integer(text.substr(slash + 1));
  require(index && count && *index >= 1 && *index <= *count, Kind::config,
          "--shard {}: need I/N with I from 1 to N, e.g. 2/8", text);
  return {*index, *count};
}

std::pair<int64_t, int64_t> RunShard::range(int64_t samples) const {
  require(count <= samples, Kind::config,
          "--shard {}: there are {} prompts, need no more shards than that", text(), samples);
  return {samples * (index - 1) / count, samples * index / count};
}

Results merge(std::span<const Results> shards, std::span<const std::filesystem::path> files) {
  require(!shards.empty(), Kind::config, "no results to merge");
  for (size_t i = 0; i < shards.size(); ++i) {
    require(shards[i].shard.has_value(), Kind::input,
            "{}: is a whole run, need what kv-eval --shard wrote", files[i].string());
    require(shards[i].shard->count == shards[0].shard->count, Kind::input,
            "{}: is shard {}, but {} is {}: not of one run", files[i].string(),
            shards[i].shard->text(), files[0].string(), shards[0].shard->text());
    require_one_run(shards[0], shards[i], files[0], files[i]);
  }
  const int64_t count = shards[0].shard->count;
  std::vector<const Results*> by_index(static_cast<size_t>(count));
  for (size_t i = 0; i < shards.size(); ++i) {
    const Results*& place = by_index[static_cast<size_t>(shards[i].shard->index - 1)];
    require(place == nullptr, Kind::input, "{}: shard {} is there already", files[i].string(),
            shards[i].shard->text());
    place = &shards[i];
  }
  std::string missing;
  for (int64_t i = 0; i < count; ++i) {
    if (by_index[i] == nullptr) missing += fmt::format(" {}", RunShard{i + 1, count}.text());
  }
  require(missing.empty(), Kind::input, "shards are missing:{}", missing);
  Results merged = *by_index[0];
  merged.provenance.resolved_config.clear();
  for (const auto& line : config_lines(*by_index[0]))
    merged.provenance.resolved_config += line + "\n";
  merged.shard.reset();
  for (size_t i = 1; i < by_index.size(); ++i) {
    const auto& records = by_index[i]->records;
    merged.records.insert(merged.records.end(), records.begin(), records.end());
  }
  return merged;
}

}  // namespace kvcal
