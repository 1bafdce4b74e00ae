// SPDX-License-Identifier: Apache-2.0
// The text of a gate, and whether it fits a run.
#include "kvcal/profile/gate.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/budget.hpp"

namespace kvcal {
namespace {

struct Field {
  std::string_view name;
  double SampleRecord::*value;
};
constexpr Field kFields[] = {{"score", &SampleRecord::score},
                             {"kl", &SampleRecord::kl},
                             {"top1_agreement", &SampleRecord::top1_agreement},
                             {"answer_nll", &SampleRecord::answer_nll},
                             {"full_answer_nll", &SampleRecord::full_answer_nll}};

struct RelationSign {
  std::string_view sign;
  Gate::Relation relation;
};
/// Longer signs first.
constexpr RelationSign kRelations[] = {{">=", Gate::Relation::at_least},
                                       {"<=", Gate::Relation::at_most},
                                       {">", Gate::Relation::above},
                                       {"<", Gate::Relation::below}};

/// Locale-free.
bool is_word_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

struct Measured {
  std::string field = "score", variant, task;
};

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Gate gate() {
    Gate gate;
    gate.text = std::string(text_);
    const Measured left = measured();
    gate.field = left.field, gate.variant = left.variant, gate.task = left.task;
    gate.value = find_field(left.field);
    gate.relation = relation();
    right(gate);
    skip_space();
    if (place_ < text_.size()) complain("the end");
    return gate;
  }

 private:
  [[noreturn]] void complain(std::string_view need) const { complain_at(place_, need); }
  [[noreturn]] void complain_at(size_t place, std::string_view need) const {
    const std::string got = place < text_.size() ? fmt::format("'{}'", text_.substr(place, 16))
                                                 : std::string("nothing more");
    fail(Kind::config, "gate '{}', column {}: {}, need {}", text_, place + 1, got, need);
  }

  void skip_space() {
    while (place_ < text_.size() && (text_[place_] == ' ' || text_[place_] == '\t')) ++place_;
  }
  bool take(std::string_view sign) {
    skip_space();
    if (!text_.substr(place_).starts_with(sign)) return false;
    place_ += sign.size();
    return true;
  }

  /// A name may hold '-' and '.' between letters (methods of one's own).
  std::string name(std::string_view what) {
    skip_space();
    const size_t begin = place_;
    const auto is_inside = [&](size_t i) {
      const bool joins = (text_[i] == '-' || text_[i] == '.') && i > begin &&
                         i + 1 < text_.size() && is_word_char(text_[i + 1]);
      return is_word_char(text_[i]) || joins;
    };
    while (place_ < text_.size() && is_inside(place_)) ++place_;
    if (place_ == begin) complain(what);
    return std::string(text_.substr(begin, place_ - begin));
  }

  std::string until(std::string_view ends, std::string_view what) {
    const size_t begin = place_;
    place_ = std::min(text_.find_first_of(ends, place_), text_.size());
    if (place_ == begin) complain(what);
    return std::string(text_.substr(begin, place_ - begin));
  }

  Measured variant() {
    Measured found;
    found.variant = name("a method");
    if (take("@")) {
      const size_t begin = place_;
      const std::string budget = until(" \t:)<>=+-*", "a budget: 128, 3% or 8MiB");
      try {
        Budget::parse(budget);
      } catch (const Error&) {
        complain_at(begin, "a budget: 128, 3% or 8MiB");
      }
      found.variant += "@" + budget;
    }
    if (take(":")) found.task = until(" \t)", "a task");
    return found;
  }

  Measured measured() {
    skip_space();
    const size_t begin = place_;
    const std::string word = name("a method");
    if (!take("(")) {
      place_ = begin;
      return variant();
    }
    if (find_field(word) == nullptr) {
      std::vector<std::string> known;
      for (const auto& field : kFields) known.emplace_back(field.name);
      complain_at(begin, fmt::format("one of {}", fmt::join(known, ", ")));
    }
    Measured found = variant();
    found.field = word;
    if (!take(")")) complain("')'");
    return found;
  }

  static double SampleRecord::*find_field(std::string_view name) {
    for (const auto& field : kFields) {
      if (field.name == name) return field.value;
    }
    return nullptr;
  }

  Gate::Relation relation() {
    for (const auto& [sign, relation] : kRelations) {
      if (take(sign)) return relation;
    }
    complain("one of >=, >, <=, <");
  }

  /// Whether the rest reads as a number, so that a method may begin with a digit's word later on.
  std::optional<double> number() {
    skip_space();
    double value = 0;
    const char* begin = text_.data() + place_;
    const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), value);
    if (error != std::errc() || !std::isfinite(value)) return std::nullopt;
    place_ += static_cast<size_t>(end - begin);
    return value;
  }

  void right(Gate& gate) {
    skip_space();
    const bool is_number =
        place_ < text_.size() && (std::isdigit(static_cast<unsigned char>(text_[place_])) ||
                                  text_[place_] == '.' || text_[place_] == '-');
    if (is_number) {
      const auto value = number();
      if (!value) complain("a number");
      if (!take("*")) {
        gate.offset = *value;
        return;
      }
      gate.factor = *value;
    }
    skip_space();
    const size_t begin = place_;
    const Measured other = measured();
    if (other.field != gate.field) {
      complain_at(begin, fmt::format("{}(...) as on the left side", gate.field));
    }
    if (!other.task.empty()) complain_at(begin, "a variant without a task: it stands on the left");
    gate.other = other.variant;
    offset(gate);
  }

  void offset(Gate& gate) {
    const bool is_minus = take("-");
    if (!is_minus && !take("+")) return;
    const auto value = number();
    if (!value || *value < 0) complain("a number, not negative");
    gate.offset = is_minus ? -*value : *value;
  }

  std::string_view text_;
  size_t place_ = 0;
};

}  // namespace

Gate parse_gate(std::string_view text) {
  return Parser(text).gate();
}

void require_runs(const Gate& gate, const std::vector<std::string>& variants,
                  const std::vector<std::string>& tasks) {
  const auto require_known = [&](const std::string& name, const std::vector<std::string>& known,
                                 std::string_view what) {
    require(std::find(known.begin(), known.end(), name) != known.end(), Kind::config,
            "gate '{}': {} '{}' is not run{} (run are: {})", gate.text, what, name,
            nearest_hint(name, known), fmt::join(known, ", "));
  };
  require_known(gate.variant, variants, "variant");
  if (gate.other) require_known(*gate.other, variants, "variant");
  if (!gate.task.empty()) require_known(gate.task, tasks, "task");
}

}  // namespace kvcal
