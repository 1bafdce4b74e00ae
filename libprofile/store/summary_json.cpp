// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "kvcal/profile/summary.hpp"

namespace kvcal {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

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
  root["latency"] = json_of_all(results.latency);
  return root.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace kvcal
