// SPDX-License-Identifier: Apache-2.0
#include "support/markup.hpp"

#include <array>
#include <set>
#include <utility>

namespace kvcal::test {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kEntities{{{"&amp;", "&"},
                                                                                  {"&lt;", "<"},
                                                                                  {"&gt;", ">"},
                                                                                  {"&quot;", "\""},
                                                                                  {"&#39;", "'"},
                                                                                  {"&nbsp;", " "}}};

bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == ':' || c == '_';
}

class Checker {
 public:
  explicit Checker(std::string_view text) : text_(text) {}

  std::string check() {
    while (error_.empty() && at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '<') {
        take_tag();
      } else if (c == '&') {
        take_entity();
      } else {
        if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t')
          fail("control character");
        ++at_;
      }
    }
    if (error_.empty() && !open_.empty()) fail("never closed: " + open_.back());
    return error_;
  }

 private:
  void fail(const std::string& what) {
    if (!error_.empty()) return;
    const size_t begin = at_ < 60 ? 0 : at_ - 60;
    error_ = what + " at ..." + std::string(text_.substr(begin, 120)) + "...";
  }

  void take_entity() {
    for (const auto& [entity, meaning] : kEntities) {
      if (!text_.substr(at_).starts_with(entity)) continue;
      at_ += entity.size();
      return;
    }
    fail("unknown entity");
  }

  std::string take_name() {
    const size_t begin = at_;
    while (at_ < text_.size() && is_name(text_[at_])) ++at_;
    return std::string(text_.substr(begin, at_ - begin));
  }

  void skip_space() {
    while (at_ < text_.size() &&
           std::string_view(" \n\t").find(text_[at_]) != std::string_view::npos) {
      ++at_;
    }
  }

  void skip_past(std::string_view end) {
    const size_t found = text_.find(end, at_);
    if (found == std::string_view::npos) return fail("no " + std::string(end));
    at_ = found + end.size();
  }

  void take_tag() {
    const auto rest = text_.substr(at_);
    if (rest.starts_with("<?") || rest.starts_with("<!doctype")) return skip_past(">");
    ++at_;
    const bool closes = text_.substr(at_).starts_with('/');
    if (closes) ++at_;
    const std::string name = take_name();
    if (name.empty()) return fail("< that is no tag");
    if (closes) return take_end(name);
    take_attributes(name);
  }

  void take_end(const std::string& name) {
    skip_space();
    if (open_.empty() || open_.back() != name) return fail("closes what is not open: " + name);
    open_.pop_back();
    skip_past(">");
  }

  void take_attributes(const std::string& name) {
    while (error_.empty()) {
      skip_space();
      if (text_.substr(at_).starts_with("/>")) {
        at_ += 2;
        return;
      }
      if (text_.substr(at_).starts_with('>')) {
        ++at_;
        return enter(name);
      }
      take_attribute();
    }
  }

  void take_attribute() {
    const std::string name = take_name();
    if (name.empty()) return fail("no attribute");
    skip_space();
    if (!text_.substr(at_).starts_with('=')) return;  // hidden, open
    ++at_;
    skip_space();
    const char quote = at_ < text_.size() ? text_[at_] : ' ';
    if (quote != '"' && quote != '\'') return fail("attribute without quotes");
    const size_t begin = ++at_;
    while (at_ < text_.size() && text_[at_] != quote && error_.empty()) {
      if (text_[at_] == '<') fail("< in an attribute");
      if (text_[at_] == '&') {
        take_entity();
      } else {
        ++at_;
      }
    }
    const std::string value(text_.substr(begin, at_ - begin));
    if (name == "id" && !ids_.insert(value).second) fail("twice the id " + value);
    ++at_;
  }

  void enter(const std::string& name) {
    if (name == "meta") return;  // has no end
    if (name == "style" || name == "script") return skip_past("</" + name + ">");
    open_.push_back(name);
  }

  std::string_view text_;
  size_t at_ = 0;
  std::string error_;
  std::vector<std::string> open_;
  std::set<std::string> ids_;
};

}  // namespace

std::string markup_error(std::string_view text) {
  return Checker(text).check();
}

std::string visible_text(std::string_view markup) {
  std::string text;
  while (!markup.empty()) {
    if (markup.front() == '<') {
      markup.remove_prefix(std::min(markup.find('>'), markup.size() - 1) + 1);
      text += ' ';
      continue;
    }
    size_t taken = 1;
    std::string_view meaning = markup.substr(0, 1);
    for (const auto& [entity, character] : kEntities) {
      if (markup.starts_with(entity)) taken = entity.size(), meaning = character;
    }
    text += meaning;
    markup.remove_prefix(taken);
  }
  return text;
}

}  // namespace kvcal::test
