// SPDX-License-Identifier: Apache-2.0
#include "report/report_data.hpp"

#include <map>
#include <set>
#include <tuple>

#include "kvcal/compress/error.hpp"

namespace kvcal::report {
namespace {

namespace fs = std::filesystem;

struct Place {
  size_t record, file;
};

std::vector<std::string> identity_of(const SampleRecord& r) {
  return {r.task, r.metric, r.visibility, r.method, r.mask, r.budget, r.sample};
}

void require_mergeable(const Results& first, const Results& next, const fs::path& first_file,
                       const fs::path& file) {
  require_same_model(next.model, first.model, file);
  require(next.provenance.dtype == first.provenance.dtype, Kind::input,
          "{}: computed in {}, but {} in {}; compare runs of one dtype", file.string(),
          next.provenance.dtype, first_file.string(), first.provenance.dtype);
}

void require_equal(const SampleRecord& a, const SampleRecord& b, const fs::path& file_of_a,
                   const fs::path& file_of_b) {
  require(
      a.score == b.score && a.prediction == b.prediction, Kind::input,
      "{} and {} disagree on task '{}', sample '{}', {} ({}): scores {} and {}; compare runs of "
      "one build and configuration",
      file_of_a.string(), file_of_b.string(), a.task, a.sample, variant_name(a), a.visibility,
      a.score, b.score);
}

/// The same question asked of another text is another sample. Older files hold no hashes.
void require_same_prompt(const SampleRecord& a, const SampleRecord& b, const fs::path& file_of_a,
                         const fs::path& file_of_b) {
  const bool are_known = !a.prompt_sha256.empty() && !b.prompt_sha256.empty();
  require(!are_known || a.prompt_sha256 == b.prompt_sha256, Kind::input,
          "{} and {} gave the model different prompts for task '{}', sample '{}'; compare runs of "
          "one data set and configuration",
          file_of_a.string(), file_of_b.string(), a.task, a.sample);
}

struct Variant {
  std::string name;
  size_t file = 0;
  std::set<std::string> samples;
};

/// By task, metric and visibility: every variant must have run on the same samples.
void require_paired(const std::vector<SampleRecord>& records, const std::vector<size_t>& file_of,
                    std::span<const fs::path> files) {
  std::map<std::tuple<std::string, std::string, std::string>, std::map<std::string, Variant>>
      groups;
  for (size_t i = 0; i < records.size(); ++i) {
    const auto& r = records[i];
    auto& variant = groups[{r.task, r.metric, r.visibility}][variant_name(r)];
    variant.name = variant_name(r), variant.file = file_of[i];
    variant.samples.insert(r.sample);
  }
  for (const auto& [group, variants] : groups) {
    const Variant& first = variants.begin()->second;
    for (const auto& [name, variant] : variants) {
      require(variant.samples == first.samples, Kind::input,
              "task '{}': {} of {} ran on {} samples and {} of {} on {}, not the same ones; a "
              "comparison needs the same samples (make a report of each)",
              std::get<0>(group), first.name, files[first.file].string(), first.samples.size(),
              name, files[variant.file].string(), variant.samples.size());
    }
  }
}

std::vector<std::string> series_names(const std::vector<Cell>& cells) {
  std::vector<std::string> names;
  for (const auto& cell : cells) names.push_back(cell.method);
  return names;
}

}  // namespace

Results merge_results(std::span<const Results> results, std::span<const fs::path> files) {
  Results merged = results.front();
  merged.records.clear();
  merged.latency.clear(), merged.shard.reset();
  std::map<std::vector<std::string>, Place> places, samples;
  std::vector<size_t> file_of;
  for (size_t file = 0; file < results.size(); ++file) {
    require_mergeable(results.front(), results[file], files.front(), files[file]);
    const auto& latency = results[file].latency;
    merged.latency.insert(merged.latency.end(), latency.begin(), latency.end());
    for (const auto& record : results[file].records) {
      const Place here{merged.records.size(), file};
      const auto first = samples.try_emplace({record.task, record.sample}, here).first->second;
      if (first.file != file) {
        require_same_prompt(merged.records[first.record], record, files[first.file], files[file]);
      }
      const auto [found, is_new] = places.try_emplace(identity_of(record), here);
      if (is_new) {
        merged.records.push_back(record);
        file_of.push_back(file);
      } else {
        require_equal(merged.records[found->second.record], record, files[found->second.file],
                      files[file]);
      }
    }
  }
  if (files.size() > 1) require_paired(merged.records, file_of, files);
  return merged;
}

ReportData gather(std::span<const fs::path> files, const fs::path& profile) {
  ReportData data;
  std::vector<Results> all;
  for (const auto& file : files) {
    all.push_back(Results::load(file));
    data.sources.push_back({file, sha256_of_file(file), all.back().provenance,
                            static_cast<int64_t>(all.back().records.size())});
  }
  data.results = merge_results(all, files);
  require(!data.results.records.empty(), Kind::input, "{}: holds no samples, nothing to report",
          files.front().string());
  if (!profile.empty()) {
    data.profile = Profile::load(profile);
    data.profile_file = profile;
    data.profile_sha256 = sha256_of_file(profile);
    require_same_model(data.profile->model, data.results.model, profile);
  }
  const auto seed = static_cast<uint64_t>(data.results.provenance.seed);
  data.cells = summarise(data.results, seed);
  data.areas = areas(data.results, seed);
  data.styles = StyleBook(series_names(data.cells));
  return data;
}

}  // namespace kvcal::report
