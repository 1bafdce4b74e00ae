// SPDX-License-Identifier: Apache-2.0
// Parameters of scorers, allocators and tasks: one field list per struct, and everything else
// (strict reading, range checks, help, documentation, provenance) comes from it.
//
//   struct SnapKvParams {
//     int64_t window_tokens = 32;
//     std::string pool = "avg";
//     template <class Visitor> void visit(Visitor& v) {
//       v.field("window_tokens", window_tokens, at_least(1), "last prompt tokens whose queries
//       score"); v.field("pool", pool, one_of({"avg", "max"}), "pooling of scores along tokens");
//     }
//   };
//
// Not for YAML: libprofile turns a YAML map into a ParamMap.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "kvcal/compress/error.hpp"

namespace kvcal {

/// A list is of numbers (lengths, depths).
using ParamValue = std::variant<bool, int64_t, double, std::string, std::vector<double>>;

/// name -> value with the place it came from ("configs/methods/a.yaml:4"), for error messages.
struct ParamEntry {
  ParamValue value;
  std::string where;
};
using ParamMap = std::map<std::string, ParamEntry>;

std::string to_string(const ParamValue& value);

/// What a field accepts. Built by at_least, between, one_of, any.
struct Range {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  std::vector<std::string> choices;

  std::string text() const;
};
Range at_least(double low);
Range between(double low, double high);
Range one_of(std::initializer_list<std::string> choices);
inline Range any() {
  return {};
}

/// Another field, and values of it with which a field has no meaning: unless("pool", {"sentence"}).
struct Unless {
  std::string field;
  std::vector<std::string> values;
};
inline Unless unless(std::string field, std::initializer_list<std::string> values) {
  return {std::move(field), values};
}

/// One line of a field list, for help and documentation.
struct FieldInfo {
  std::string name;
  ParamValue default_value;
  Range range;
  std::string help;
  Unless unless = {};  ///< of no field: it always has a meaning
};

/// Visitor that lists the fields of a params struct with their defaults.
class FieldLister {
 public:
  template <class T>
  void field(std::string_view name, T& member, const Range& range, std::string_view help,
             const Unless& unless = {}) {
    fields.push_back({std::string(name), ParamValue(member), range, std::string(help), unless});
  }
  std::vector<FieldInfo> fields;
};

/// Visitor that sets fields from a ParamMap and checks their ranges.
class FieldReader {
 public:
  explicit FieldReader(const ParamMap& map) : map_(map) {}

  template <class T>
  void field(std::string_view name, T& member, const Range& range, std::string_view,
             const Unless& = {}) {
    auto found = map_.find(std::string(name));
    if (found != map_.end()) assign(name, found->second, range, member);
  }

 private:
  static void assign(std::string_view name, const ParamEntry& entry, const Range& range, bool& out);
  static void assign(std::string_view name, const ParamEntry& entry, const Range& range,
                     int64_t& out);
  static void assign(std::string_view name, const ParamEntry& entry, const Range& range,
                     double& out);
  static void assign(std::string_view name, const ParamEntry& entry, const Range& range,
                     std::string& out);
  static void assign(std::string_view name, const ParamEntry& entry, const Range& range,
                     std::vector<double>& out);

  const ParamMap& map_;
};

template <class Params>
std::vector<FieldInfo> list_fields() {
  FieldLister lister;
  Params params;
  params.visit(lister);
  return lister.fields;
}

/// Fields present in `map` replace the defaults; keys that Params lacks are left to the caller,
/// which checks them with require_known_keys against all the parts of a method.
template <class Params>
Params read_params(const ParamMap& map) {
  Params params;
  FieldReader reader(map);
  params.visit(reader);
  return params;
}

/// @throws Error{config} naming the unknown key, its place, the known ones and the nearest
void require_known_keys(const ParamMap& map, const std::vector<FieldInfo>& known,
                        std::string_view owner);

}  // namespace kvcal
