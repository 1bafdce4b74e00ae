// SPDX-License-Identifier: Apache-2.0
// kvcal.results/1 as docs/profile-format.md lays it down: the HDF5 file of all samples.
#include "kvcal/profile/results.hpp"

#include <cmath>

#include "kvcal/compress/error.hpp"
#include "store/columns.hpp"
#include "store/hdf5.hpp"

namespace kvcal {
namespace {

constexpr std::string_view kResultsFormat = "kvcal.results";
constexpr int64_t kResultsVersion = 1;
const std::string kGroup = "/samples";
const std::string kKeptPath = kGroup + "/kept_per_head";
const std::string kLatency = "/latency";

void write_shard(Hdf5Writer& writer, const RunShard& shard) {
  writer.write_attribute("/", "shard_index", shard.index);
  writer.write_attribute("/", "shard_count", shard.count);
}

std::optional<RunShard> read_shard(const Hdf5Reader& reader) {
  if (!reader.has_attribute("/", "shard_index")) return std::nullopt;
  const RunShard shard{reader.attribute<int64_t>("/", "shard_index"),
                       reader.attribute<int64_t>("/", "shard_count")};
  require(shard.index >= 1 && shard.index <= shard.count, Kind::input,
          "{}: shard {}, need an index from 1 to the count", reader.file().string(), shard.text());
  return shard;
}

}  // namespace

void write_records(Hdf5Writer& writer, std::span<const SampleRecord> records) {
  const size_t width = records.empty() ? 0 : records.front().kept_per_head.size();
  std::vector<int32_t> kept;  // [records, layers * kv_heads]
  for (const auto& record : records) {
    require(record.kept_per_head.size() == width, Kind::internal,
            "{}: {} has {} kept entries for sample '{}', {} for the first one",
            writer.file().string(), kKeptPath, record.kept_per_head.size(), record.sample, width);
    require(std::isfinite(record.score), Kind::numeric,
            "the score of sample '{}' of task '{}', method '{}', is {}", record.sample, record.task,
            record.method, record.score);
    kept.insert(kept.end(), record.kept_per_head.begin(), record.kept_per_head.end());
  }
  write_columns(writer, kGroup, records);
  writer.write(kKeptPath, kept,
               {static_cast<int64_t>(records.size()), static_cast<int64_t>(width)});
}

std::vector<SampleRecord> read_records(const Hdf5Reader& reader) {
  auto records = read_columns<SampleRecord>(reader, kGroup);
  const auto rows = static_cast<int64_t>(records.size());
  const auto kept = reader.read<int32_t>(kKeptPath, {rows, kAnySize});
  const size_t width = records.empty() ? 0 : kept.size() / records.size();
  for (size_t row = 0; row < records.size(); ++row) {
    const auto begin = kept.begin() + static_cast<std::ptrdiff_t>(row * width);
    records[row].kept_per_head.assign(begin, begin + static_cast<std::ptrdiff_t>(width));
    require(std::isfinite(records[row].score), Kind::input,
            "{}: {}/score[{}] = {}, need a finite number", reader.file().string(), kGroup, row,
            records[row].score);
  }
  return records;
}

Results Results::load(const std::filesystem::path& file) {
  const Hdf5Reader reader(file);
  reader.require_format(kResultsFormat, kResultsVersion);
  Results results;
  results.model = read_root_attributes<ModelIdentity>(reader);
  results.provenance = read_root_attributes<Provenance>(reader);
  results.shard = read_shard(reader);
  results.records = read_records(reader);
  if (reader.has(kLatency)) results.latency = read_columns<LatencyRecord>(reader, kLatency);
  return results;
}

void Results::save(const std::filesystem::path& file) const {
  Hdf5Writer writer(file);
  writer.write_attribute("/", "format", fmt::format("{}/{}", kResultsFormat, kResultsVersion));
  write_root_attributes(writer, model);
  write_root_attributes(writer, provenance);
  if (shard) write_shard(writer, *shard);
  write_records(writer, records);
  if (!latency.empty()) write_columns<LatencyRecord>(writer, kLatency, latency);
  writer.finish();
}

}  // namespace kvcal
