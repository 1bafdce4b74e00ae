// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "kvcal/profile/longbench.hpp"
#include "kvcal/profile/summary.hpp"

namespace kvcal {
namespace {

using Json = nlohmann::ordered_json;

/// A field list as a JSON object: NaN and nullopt become null.
struct JsonFields {
  Json object = Json::object();
  template <class T>
  void operator()(const char* name, const T& value) {
    object[name] = value;
  }
  void operator()(const char* name, double value) {
    object[name] = std::isfinite(value) ? Json(value) : Json();
  }
  void operator()(const char* name, const std::optional<double>& value) {
    (*this)(name, value.value_or(kNaN));
  }
};

template <class Record>
Json json_of(const Record& record) {
  JsonFields fields;
  Record::fields(record, fields);
  return fields.object;
}

template <class Record>
Json json_of_all(const std::vector<Record>& records) {
  Json list = Json::array();
  for (const auto& record : records) list.push_back(json_of(record));
  return list;
}

Json json_of(const LongbenchSummary& summary) {
  JsonFields fields;
  fields("method", summary.method), fields("visibility", summary.visibility);
  fields("mask", summary.mask), fields("budget", summary.budget);
  for (const auto& score : summary.datasets) {
    JsonFields dataset;
    dataset("dataset", score.facts.dataset), dataset("is_extended", score.facts.is_extended);
    dataset("n", score.n), dataset("score", score.score);
    for (size_t i = 0; i < score.by_length.size(); ++i) {
      dataset(std::string(kLongbenchLengths[i]).c_str(), score.by_length[i]);
    }
    fields.object["datasets"].push_back(dataset.object);
  }
  fields("mean_of_sixteen", summary.mean_of_sixteen);
  fields("english", summary.english), fields("english_mean", summary.english_mean);
  fields("chinese", summary.chinese), fields("chinese_mean", summary.chinese_mean);
  return fields.object;
}

Json json_of(const BaselineReport& report) {
  return {{"file", report.file},
          {"full_cache_drift", json_of(report.drift)},
          {"is_refused", report.drift.is_too_far()},
          {"rows", json_of_all(report.rows)},
          {"absent_now", report.absent_now},
          {"absent_before", report.absent_before}};
}

}  // namespace

Summary summarise_all(const Results& results, uint64_t seed) {
  Summary summary;
  summary.cells = summarise(results, seed);
  summary.areas = areas(results, seed);
  return summary;
}

std::string to_json(const Results& results, const Summary& summary) {
  Json root = {{"format", "kvcal.results/1"}};
  root["provenance"] = json_of(results.provenance);
  root["model"] = json_of(results.model);
  root["cells"] = json_of_all(summary.cells);
  root["areas"] = json_of_all(summary.areas);
  root["gates"] = json_of_all(summary.gates);
  if (summary.baseline) root["baseline"] = json_of(*summary.baseline);
  for (const auto& variant : summarise_longbench(results)) {
    root["longbench"].push_back(json_of(variant));
  }
  root["latency"] = json_of_all(results.latency);
  return root.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace kvcal
