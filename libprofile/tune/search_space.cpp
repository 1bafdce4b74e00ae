// SPDX-License-Identifier: Apache-2.0
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <sstream>
#include <type_traits>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/resources.hpp"
#include "kvcal/profile/statistics.hpp"
#include "kvcal/profile/tune.hpp"
#include "kvcal/profile/yaml.hpp"

namespace kvcal {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kAllocatorAxis = "allocator";

template <class Number>
Number number_of(const std::string& text, const std::string& where) {
  Number number = 0;
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, number);
  require(read.ec == std::errc() && read.ptr == end, Kind::config, "{}: '{}', need {}", where, text,
          std::is_integral_v<Number> ? "a whole number" : "a number");
  return number;
}

/// A value as the field's type: lists of YAML hold f64 numbers, words are text.
ParamValue as_type_of(const ParamValue& type, const ParamValue& value, const std::string& where) {
  if (std::holds_alternative<bool>(type)) {
    const std::string text = to_string(value);
    require(text == "true" || text == "false", Kind::config, "{}: '{}', need true or false", where,
            text);
    return text == "true";
  }
  const auto* text = std::get_if<std::string>(&value);
  const auto* real = std::get_if<double>(&value);
  if (std::holds_alternative<int64_t>(type)) {
    if (real != nullptr) return static_cast<int64_t>(*real);
    if (text != nullptr) return number_of<int64_t>(*text, where);
  }
  if (std::holds_alternative<double>(type) && text != nullptr) {
    return number_of<double>(*text, where);
  }
  return value;
}

/// "a b c" or a list of numbers.
std::vector<ParamValue> values_of(const ParamEntry& entry) {
  std::vector<ParamValue> values;
  if (const auto* numbers = std::get_if<std::vector<double>>(&entry.value)) {
    values.assign(numbers->begin(), numbers->end());
  } else if (const auto* text = std::get_if<std::string>(&entry.value)) {
    std::istringstream words(*text);
    for (std::string word; words >> word;) values.emplace_back(word);
  } else {
    values.push_back(entry.value);
  }
  require(!values.empty(), Kind::config, "{}: no value, need at least one", entry.where);
  return values;
}

/// Fields of the scorer, and of all allocators that a section names.
std::vector<FieldInfo> fields_of(const YamlMap& map) {
  auto fields = find_scorer(map.text("scorer")).fields();
  for (const char* section : {"start", "axes", "controls"}) {
    const auto params = map.params(section);
    const auto named = params.find(std::string(kAllocatorAxis));
    if (named == params.end()) continue;
    for (const auto& name : values_of(named->second)) {
      for (auto& field : find_allocator(to_string(name)).fields()) fields.push_back(field);
    }
  }
  return fields;
}

const FieldInfo* find_field(const std::vector<FieldInfo>& fields, std::string_view name) {
  const auto found = std::find_if(fields.begin(), fields.end(),
                                  [&](const FieldInfo& field) { return field.name == name; });
  return found == fields.end() ? nullptr : &*found;
}

/// A part with these fields has this one, and its value matters beside those of the point.
bool has_meaning(const std::vector<FieldInfo>& fields, const Choice& choice,
                 const std::string& name) {
  const auto* field = find_field(fields, name);
  if (field == nullptr) return false;
  const auto& [other, values] = field->unless;
  if (other.empty()) return true;
  const auto chosen = choice.find(other);
  const auto& value =
      chosen != choice.end() ? chosen->second : find_field(fields, other)->default_value;
  return std::find(values.begin(), values.end(), to_string(value)) == values.end();
}

/// Default value of the field whose type the axis has.
const ParamValue& type_of(const std::string& axis, const std::vector<FieldInfo>& fields,
                          const std::string& where) {
  const auto* found = find_field(fields, axis);
  std::vector<std::string> known = {std::string(kAllocatorAxis)};
  for (const auto& field : fields) {
    if (std::find(known.begin(), known.end(), field.name) == known.end())
      known.push_back(field.name);
  }
  require(found != nullptr, Kind::config, "{}: unknown axis '{}'{} (known: {})", where, axis,
          nearest_hint(axis, known), fmt::join(known, ", "));
  return found->default_value;
}

/// Values with the types of the fields.
std::map<std::string, std::vector<ParamValue>> typed(const ParamMap& map,
                                                     const std::vector<FieldInfo>& fields) {
  std::map<std::string, std::vector<ParamValue>> axes;
  for (const auto& [name, entry] : map) {
    auto values = values_of(entry);
    if (name == kAllocatorAxis) {
      for (const auto& value : values) find_allocator(to_string(value));
    } else {
      const auto& type = type_of(name, fields, entry.where);
      for (auto& value : values) value = as_type_of(type, value, entry.where);
    }
    axes[name] = std::move(values);
  }
  return axes;
}

/// "axis=value axis=value": what a starting point changes.
ParamMap changes_of(const ParamEntry& entry) {
  ParamMap changes;
  std::istringstream words(to_string(entry.value));
  for (std::string word; words >> word;) {
    const size_t split = word.find('=');
    require(split != word.npos && split > 0 && split + 1 < word.size(), Kind::config,
            "{}: '{}', need axis=value", entry.where, word);
    changes[word.substr(0, split)] = {word.substr(split + 1), entry.where};
  }
  require(!changes.empty(), Kind::config, "{}: changes nothing, need axis=value", entry.where);
  return changes;
}

/// The space's `start` under this name.
constexpr std::string_view kStartName = "start";

}  // namespace

SearchSpace SearchSpace::load(std::string_view spec) {
  fs::path file(spec);
  if (!spec.ends_with(".yaml")) {
    const auto known = known_search_spaces();
    require(std::find(known.begin(), known.end(), spec) != known.end(), Kind::config,
            "unknown search space '{}'{} (known: {}; or a path ending in .yaml)", spec,
            nearest_hint(spec, known), fmt::join(known, ", "));
    file = resource("configs/tuning") / fmt::format("{}.yaml", spec);
  }
  const YamlMap map = YamlMap::load(file);
  map.require_only(
      {"name", "summary", "compared_with", "scorer", "start", "starts", "axes", "controls"});
  SearchSpace space;
  space.name_ = map.text("name");
  space.compared_with_ = map.text("compared_with");
  space.scorer_ = map.text("scorer");
  space.sha256_ = sha256_of_file(file);
  const auto fields = fields_of(map);
  Choice& start = space.start_;
  for (auto& [name, values] : typed(map.params("start"), fields)) start[name] = values.front();
  space.starts_.push_back({std::string(kStartName), space.meaningful(start)});
  for (const auto& [name, entry] : map.params("starts")) {
    Choice other = start;
    for (auto& [axis, values] : typed(changes_of(entry), fields)) other[axis] = values.front();
    space.starts_.push_back({fmt::format("{} {}", kStartName, name), space.meaningful(other)});
  }
  for (auto& [name, values] : typed(map.params("axes"), fields)) {
    require(start.contains(name), Kind::config, "{}: axis {} has no value in `start`",
            map.where("axes"), name);
    space.axes_.push_back({name, std::move(values)});
  }
  for (auto& [name, values] : typed(map.params("controls"), fields)) {
    space.controls_.push_back({name, std::move(values)});
  }
  for (const auto& point : space.starts_) space.method(point.choice, point.name);  // go together
  return space;
}

bool SearchSpace::uses(const Choice& choice, const std::string& axis) const {
  const auto& allocator = find_allocator(to_string(choice.at(std::string(kAllocatorAxis))));
  return axis == kAllocatorAxis || has_meaning(find_scorer(scorer_).fields(), choice, axis) ||
         has_meaning(allocator.fields(), choice, axis);
}

Choice SearchSpace::meaningful(const Choice& choice) const {
  Choice all = choice;
  all.insert(start_.begin(), start_.end());
  Choice point = all;
  std::erase_if(point, [&](const auto& entry) { return !uses(all, entry.first); });
  return point;
}

std::vector<Choice> SearchSpace::changed(const Choice& from, const Axes& axes) const {
  std::vector<Choice> points;
  for (const auto& axis : axes) {
    if (!uses(from, axis.name)) continue;
    for (const auto& value : axis.values) {
      if (from.at(axis.name) == value) continue;
      Choice point = from;
      point[axis.name] = value;
      points.push_back(meaningful(point));
    }
  }
  return points;
}

std::vector<Choice> SearchSpace::neighbours(const Choice& from) const {
  return changed(from, axes_);
}

Choice SearchSpace::random(uint64_t seed, uint64_t index) const {
  Choice point = start_;
  for (size_t i = 0; i < axes_.size(); ++i) {
    const uint64_t bits = random_bits(seed, index * axes_.size() + i);
    point[axes_[i].name] = axes_[i].values[bits % axes_[i].values.size()];
  }
  return meaningful(point);
}

std::vector<Choice> SearchSpace::controls(const Choice& from) const {
  return changed(from, controls_);
}

Method SearchSpace::method(const Choice& choice, const std::string& name) const {
  Method method;
  method.name = name;
  method.scorer_name = scorer_;
  method.allocator_name = to_string(choice.at(std::string(kAllocatorAxis)));
  method.selector_name = "top";
  method.compactor_name = "gather";
  for (const auto& [axis, value] : choice) {
    if (axis == kAllocatorAxis || !uses(choice, axis)) continue;
    method.params[axis] = {value, "search space " + name_};
  }
  make_parts(method);
  return method;
}

Choice SearchSpace::point_of(const Method& method) const {
  Choice point;
  for (const auto& axis : axes_) {
    if (axis.name == kAllocatorAxis) {
      point[axis.name] = method.allocator_name;
    } else if (const auto found = method.params.find(axis.name); found != method.params.end()) {
      point[axis.name] = found->second.value;
    }
  }
  return point;
}

std::vector<std::string> known_search_spaces() {
  return names_in("configs/tuning");
}

std::string describe_change(const Choice& from, const Choice& choice) {
  std::vector<std::string> changes;
  for (const auto& [axis, value] : choice) {
    const auto before = from.find(axis);
    if (before != from.end() && before->second == value) continue;
    changes.push_back(fmt::format("{}={}", axis, to_string(value)));
  }
  return fmt::format("{}", fmt::join(changes, ", "));
}

}  // namespace kvcal
