// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/pre_tokenizer.hpp"

#include <algorithm>
#include <optional>

#include "tokenizer/normalizer.hpp"
#include "tokenizer/regex.hpp"
#include "tokenizer/unicode.hpp"

namespace kvcal {
namespace {

/// GPT-2's pattern, the one that ByteLevel with use_regex has built in.
constexpr const char* kByteLevelPattern =
    R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

void push_part(const Piece& piece, Span span, Pieces& out) {
  if (span.begin == span.end) return;
  out.list.push_back(
      {piece.text.substr(span.begin, span.end - span.begin), piece.is_first && span.begin == 0});
}

enum class Behavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };

Behavior read_behavior(const JsonPart& part) {
  const std::string name = part.text("behavior");
  if (name == "Removed") return Behavior::removed;
  if (name == "Isolated") return Behavior::isolated;
  if (name == "MergedWithPrevious") return Behavior::merged_with_previous;
  if (name == "MergedWithNext") return Behavior::merged_with_next;
  if (name == "Contiguous") return Behavior::contiguous;
  part.unsupported("behavior", name,
                   "Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous");
}

struct Part {
  Span span;
  bool is_match;
};

/// Matches and what lies between them, in order.
std::vector<Part> parts_of(std::string_view text, const Regex& pattern, bool is_inverted) {
  std::vector<Span> matches;
  pattern.find_all(text, matches);
  std::vector<Part> parts;
  parts.reserve(2 * matches.size() + 1);
  size_t end = 0;
  for (const Span& match : matches) {
    if (match.begin != end) parts.push_back({{end, match.begin}, is_inverted});
    parts.push_back({match, !is_inverted});
    end = match.end;
  }
  if (end != text.size()) parts.push_back({{end, text.size()}, is_inverted});
  return parts;
}

/// Joins each match to the part before it, unless that is a match too. With parts in reverse order
/// it joins to the part behind.
std::vector<Part> merge_matches(const std::vector<Part>& parts) {
  std::vector<Part> merged;
  bool was_match = false;
  for (const Part& part : parts) {
    if (part.is_match && !was_match && !merged.empty()) {
      Span& last = merged.back().span;
      last = {std::min(last.begin, part.span.begin), std::max(last.end, part.span.end)};
    } else {
      merged.push_back(part);
    }
    was_match = part.is_match;
  }
  return merged;
}

std::vector<Part> join_equal(const std::vector<Part>& parts) {
  std::vector<Part> joined;
  for (const Part& part : parts) {
    if (!joined.empty() && joined.back().is_match == part.is_match) {
      joined.back().span.end = part.span.end;
    } else {
      joined.push_back(part);
    }
  }
  return joined;
}

std::vector<Part> arrange(std::vector<Part> parts, Behavior behavior) {
  switch (behavior) {
    case Behavior::isolated:
      break;
    case Behavior::removed:
      std::erase_if(parts, [](const Part& part) { return part.is_match; });
      break;
    case Behavior::contiguous:
      return join_equal(parts);
    case Behavior::merged_with_previous:
      return merge_matches(parts);
    case Behavior::merged_with_next:
      std::reverse(parts.begin(), parts.end());
      parts = merge_matches(parts);
      std::reverse(parts.begin(), parts.end());
      break;
  }
  return parts;
}

class SplitStep : public PreTokenizer::Step {
 public:
  SplitStep(Regex pattern, Behavior behavior, bool is_inverted)
      : pattern_(std::move(pattern)), behavior_(behavior), is_inverted_(is_inverted) {}

  void split(const Piece& piece, Pieces& out) const override {
    for (const Part& part : arrange(parts_of(piece.text, pattern_, is_inverted_), behavior_)) {
      push_part(piece, part.span, out);
    }
  }

 private:
  Regex pattern_;
  Behavior behavior_;
  bool is_inverted_;
};

class DigitsStep : public PreTokenizer::Step {
 public:
  explicit DigitsStep(bool is_individual) : is_individual_(is_individual) {}

  void split(const Piece& piece, Pieces& out) const override {
    size_t begin = 0;
    bool is_number = false;
    for (size_t i = 0; i < piece.text.size();) {
      const uint32_t character = unicode::first_character(piece.text.substr(i));
      const bool is_digit = unicode::is_numeric(character);
      if (is_digit != is_number || (is_digit && is_individual_)) {
        push_part(piece, {begin, i}, out);
        begin = i;
        is_number = is_digit;
      }
      i += unicode::character_bytes(piece.text[i]);
    }
    push_part(piece, {begin, piece.text.size()}, out);
  }

 private:
  bool is_individual_;
};

/// The bytes themselves are left as they are; see PreTokenizer::is_byte_level.
class ByteLevelStep : public PreTokenizer::Step {
 public:
  ByteLevelStep(bool adds_space, std::optional<Regex> pattern)
      : adds_space_(adds_space), pattern_(std::move(pattern)) {}

  void split(const Piece& piece, Pieces& out) const override {
    Piece whole = piece;
    if (adds_space_ && !whole.text.starts_with(' ')) {
      whole.text = out.changed.emplace_back(" ").append(piece.text);
    }
    if (!pattern_) {
      out.list.push_back(whole);
      return;
    }
    for (const Part& part : parts_of(whole.text, *pattern_, false))
      push_part(whole, part.span, out);
  }

 private:
  bool adds_space_;
  std::optional<Regex> pattern_;
};

class MetaspaceStep : public PreTokenizer::Step {
 public:
  enum class Prepend { first, never, always };

  MetaspaceStep(std::string replacement, Prepend prepend, bool splits)
      : space_(Regex::literal(" ")),
        mark_(Regex::literal(replacement)),
        replacement_(std::move(replacement)),
        prepend_(prepend),
        splits_(splits) {}

  void split(const Piece& piece, Pieces& out) const override {
    std::string& text = out.changed.emplace_back(space_.replace_all(piece.text, replacement_));
    const bool is_wanted =
        prepend_ == Prepend::always || (prepend_ == Prepend::first && piece.is_first);
    if (is_wanted && !text.starts_with(replacement_)) text.insert(0, replacement_);
    const Piece whole{text, piece.is_first};
    if (!splits_) {
      out.list.push_back(whole);
      return;
    }
    for (const Part& part : arrange(parts_of(text, mark_, false), Behavior::merged_with_next)) {
      push_part(whole, part.span, out);
    }
  }

 private:
  Regex space_, mark_;
  std::string replacement_;
  Prepend prepend_;
  bool splits_;
};

std::unique_ptr<PreTokenizer::Step> read_metaspace(const JsonPart& part) {
  using Prepend = MetaspaceStep::Prepend;
  // Files older than prepend_scheme have add_prefix_space.
  const std::string scheme = part.has("prepend_scheme")            ? part.text("prepend_scheme")
                             : part.flag("add_prefix_space", true) ? "always"
                                                                   : "never";
  if (scheme != "first" && scheme != "always" && scheme != "never") {
    part.unsupported("prepend_scheme", scheme, "first, always, never");
  }
  const Prepend prepend = scheme == "first"    ? Prepend::first
                          : scheme == "always" ? Prepend::always
                                               : Prepend::never;
  return std::make_unique<MetaspaceStep>(part.text("replacement"), prepend,
                                         part.flag("split", true));
}

}  // namespace

void PreTokenizer::add(const JsonPart& part, int depth) {
  require_shallow(part, depth);
  require(!is_byte_level_, Kind::input, "{}: a pre-tokenizer behind ByteLevel is not supported",
          part.where());
  const std::string type = part.text("type");
  if (type == "Sequence") {
    for (const JsonPart& item : part.items("pretokenizers")) add(item, depth + 1);
  } else if (type == "Split") {
    steps_.push_back(std::make_unique<SplitStep>(read_pattern(part), read_behavior(part),
                                                 part.flag("invert", false)));
  } else if (type == "Digits") {
    steps_.push_back(std::make_unique<DigitsStep>(part.flag("individual_digits", false)));
  } else if (type == "ByteLevel") {
    std::optional<Regex> pattern;
    if (part.flag("use_regex", true)) pattern = Regex::compile(kByteLevelPattern, part.where());
    steps_.push_back(
        std::make_unique<ByteLevelStep>(part.flag("add_prefix_space"), std::move(pattern)));
    is_byte_level_ = true;
  } else if (type == "Metaspace") {
    steps_.push_back(read_metaspace(part));
  } else {
    part.unsupported("pre-tokenizer", type, "Split, Digits, ByteLevel, Metaspace, Sequence");
  }
}

void PreTokenizer::apply(Pieces& pieces) const {
  for (const auto& step : steps_) {
    const std::vector<Piece> before = std::move(pieces.list);
    pieces.list.clear();
    for (const Piece& piece : before) step->split(piece, pieces);
  }
}

}  // namespace kvcal
