// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/longbench.hpp"

namespace kvcal {
namespace {

namespace fs = std::filesystem;

std::string line_of(const SampleRecord& record, const std::vector<std::string>& all_classes) {
  nlohmann::ordered_json line;
  line["pred"] = record.prediction;
  line["answers"] = record.references;
  line["all_classes"] = nullptr;
  if (!all_classes.empty()) line["all_classes"] = all_classes;
  line["length"] = static_cast<int64_t>(record.length);
  return line.dump() + "\n";
}

void write_file(const fs::path& file, const std::string& text) {
  std::error_code ignored;  // the stream tells
  fs::create_directories(file.parent_path(), ignored);
  std::ofstream stream(file, std::ios::binary);
  stream << text;
  stream.close();
  require(stream.good(), Kind::input, "{}: cannot write predictions", file.string());
}

}  // namespace

std::string longbench_model_name(const Results& results, const SampleRecord& record) {
  std::string name = fmt::format("{}_{}", results.model.name, record.method);
  if (record.budget != "full") name += "_" + record.budget;
  if (!record.mask.empty()) name += "_without_" + record.mask;
  name += "_" + record.visibility;
  std::replace(name.begin(), name.end(), '/', '-');
  std::replace(name.begin(), name.end(), ':', '-');
  return name;
}

void write_longbench_predictions(
    const fs::path& directory, const Results& results,
    const std::function<std::vector<std::string>(const SampleRecord&)>& all_classes) {
  std::map<fs::path, std::string> files;  // -> lines
  std::map<std::string, std::optional<LongbenchFacts>> facts;
  for (const auto& record : results.records) {
    if (!facts.contains(record.task)) facts[record.task] = longbench_facts(record.task);
    const auto& dataset = facts[record.task];
    if (!dataset) continue;
    const fs::path file = directory / (dataset->is_extended ? "pred_e" : "pred") /
                          longbench_model_name(results, record) / (dataset->dataset + ".jsonl");
    files[file] += line_of(record, all_classes(record));
  }
  for (const auto& [file, lines] : files) write_file(file, lines);
}

}  // namespace kvcal
