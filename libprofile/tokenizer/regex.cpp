// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/regex.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "kvcal/compress/error.hpp"
#include "tokenizer/unicode.hpp"

namespace kvcal {
namespace {

// PCRE2's own \s has U+180E, which Unicode took out of White_Space; Oniguruma follows Unicode.
constexpr std::string_view kSpace =
    R"(\x{9}-\x{D}\x{20}\x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000})";
constexpr std::string_view kNotSpace =
    R"(\x{0}-\x{8}\x{E}-\x{1F}\x{21}-\x{84}\x{86}-\x{9F}\x{A1}-\x{167F}\x{1681}-\x{1FFF})"
    R"(\x{200B}-\x{2027}\x{202A}-\x{202E}\x{2030}-\x{205E}\x{2060}-\x{2FFF}\x{3001}-\x{10FFFF})";

// Letters and numbers of Unicode 15 and 16, which Oniguruma 6.9.10 knows and PCRE2 10.42 does not.
// They matter beside each other only, in no common script; listing them makes ids independent of
// PCRE2's age.
constexpr std::string_view kNewLetters =
    R"(\x{1C89}-\x{1C8A}\x{A7CB}-\x{A7CD}\x{A7DA}-\x{A7DC}\x{105C0}-\x{105F3})"
    R"(\x{10D4A}-\x{10D65}\x{10D6F}-\x{10D85}\x{10EC2}-\x{10EC4}\x{1123F}-\x{11240})"
    R"(\x{11380}-\x{11389}\x{1138B}\x{1138E}\x{11390}-\x{113B5}\x{113B7}\x{113D1}\x{113D3})"
    R"(\x{11BC0}-\x{11BE0}\x{11F02}\x{11F04}-\x{11F10}\x{11F12}-\x{11F33}\x{1342F})"
    R"(\x{13441}-\x{13446}\x{13460}-\x{143FA}\x{16100}-\x{1611D}\x{16D40}-\x{16D6C})"
    R"(\x{18CFF}\x{1B132}\x{1B155}\x{1DF25}-\x{1DF2A}\x{1E030}-\x{1E06D}\x{1E4D0}-\x{1E4EB})"
    R"(\x{1E5D0}-\x{1E5ED}\x{1E5F0}\x{2B739}\x{2EBF0}-\x{2EE5D}\x{31350}-\x{323AF})";
constexpr std::string_view kNewNumbers =
    R"(\x{10D40}-\x{10D49}\x{116D0}-\x{116E3}\x{11BF0}-\x{11BF9}\x{11F50}-\x{11F59})"
    R"(\x{16130}-\x{16139}\x{16D70}-\x{16D79}\x{1CCF0}-\x{1CCF9}\x{1D2C0}-\x{1D2D3})"
    R"(\x{1E4F0}-\x{1E4F9}\x{1E5F1}-\x{1E5FA})";

/// Rewrites what Oniguruma (Ruby syntax) and PCRE2 read differently.
class Translator {
 public:
  Translator(std::string_view pattern, const std::string& where)
      : pattern_(pattern), where_(where) {}

  std::string run() {
    for (at_ = 0; at_ < pattern_.size(); ++at_) {
      if (pattern_[at_] == '\\') {
        escape();
      } else if (in_class_) {
        class_member();
      } else {
        outside();
      }
    }
    return result_;
  }

 private:
  char peek(size_t ahead) const {
    return at_ + ahead < pattern_.size() ? pattern_[at_ + ahead] : '\0';
  }

  [[noreturn]] void refuse(std::string_view construct) const {
    fail(Kind::input, "{}: '{}' in the pattern {} is not supported", where_, construct, pattern_);
  }

  void add_set(std::string_view set) {
    result_ += in_class_ ? std::string(set) : fmt::format("[{}]", set);
  }

  void escape() {
    const char kind = peek(1);
    ++at_;
    if (kind == 's' || kind == 'S') {
      add_set(kind == 's' ? kSpace : kNotSpace);
      return;
    }
    const std::string_view rest = pattern_.substr(at_);
    if (rest.starts_with("p{L}") || rest.starts_with("p{N}")) {
      add_set(fmt::format("\\{}{}", rest.substr(0, 4), rest[2] == 'L' ? kNewLetters : kNewNumbers));
      at_ += 3;
      return;
    }
    // Word characters and boundaries differ in marks and joiners; \h is a hexadecimal digit in one
    // and a horizontal space in the other; the rest exists in one only.
    if (std::string_view("wWbBhHKGRXyYON").find(kind) != std::string_view::npos || kind == '\0') {
      refuse(fmt::format("\\{}", kind == '\0' ? ' ' : kind));
    }
    result_ += {'\\', kind};
    // The brace of \p{L} is no repeat.
    const size_t brace = peek(1) == '{' ? pattern_.find('}', at_) : std::string_view::npos;
    if (brace == std::string_view::npos) return;
    result_ += pattern_.substr(at_ + 1, brace - at_);
    at_ = brace;
  }

  void class_member() {
    const char c = pattern_[at_];
    if (c == '[') refuse("[ inside [ ]");
    if (c == '&' && peek(1) == '&') refuse("&&");
    if (c == ']') in_class_ = false;
    result_ += c;
  }

  void outside() {
    const char c = pattern_[at_];
    result_ += c;
    if (c == '[') {
      in_class_ = true;
      if (peek(1) == '^') result_ += pattern_[++at_];
      if (peek(1) == ']') refuse("[]");
    }
    // Possessive in PCRE2, a repeat of the repeat in Ruby syntax.
    if (c == '}' && peek(1) == '+') refuse("}+");
    if (c == '(' && peek(1) == '?') check_group();
    if (c == '(' && peek(1) == '*') refuse("(*");
  }

  /// (?: (?= (?! (?<= (?<! (?> (?i: (?i) and nothing else.
  void check_group() const {
    const std::string_view rest = pattern_.substr(at_ + 2);
    for (std::string_view known : {":", "=", "!", "<=", "<!", ">", "i:", "i)", "-i:"}) {
      if (rest.starts_with(known)) return;
    }
    refuse(fmt::format("(?{}", rest.substr(0, 2)));
  }

  std::string_view pattern_;
  const std::string& where_;
  size_t at_ = 0;
  bool in_class_ = false;
  std::string result_;
};

struct CodeFree {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
};

/// Working memory of a thread; one pair of offsets suits every pattern.
struct MatchSpace {
  pcre2_match_data* data = pcre2_match_data_create(1, nullptr);
  pcre2_match_context* context = pcre2_match_context_create(nullptr);
  pcre2_jit_stack* stack = pcre2_jit_stack_create(32 * 1024, 16 * 1024 * 1024, nullptr);

  MatchSpace() { pcre2_jit_stack_assign(context, nullptr, stack); }
  ~MatchSpace() {
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
    pcre2_jit_stack_free(stack);
  }
  MatchSpace(const MatchSpace&) = delete;
};

std::string message_of(int code) {
  PCRE2_UCHAR text[256];
  pcre2_get_error_message(code, text, sizeof text);
  return reinterpret_cast<const char*>(text);
}

}  // namespace

struct Regex::Impl {
  std::unique_ptr<pcre2_code, CodeFree> code;  // null: literal
  std::string literal;
  std::string where;

  /// Next match at or after `from`; false when there is none.
  bool find(std::string_view text, size_t from, Span& match) const {
    if (!code) {
      match.begin = text.find(literal, from);
      match.end = match.begin + literal.size();
      return match.begin != std::string_view::npos;
    }
    static thread_local const MatchSpace space;
    const int count = pcre2_match(code.get(), reinterpret_cast<PCRE2_SPTR>(text.data()),
                                  text.size(), from, PCRE2_NO_UTF_CHECK, space.data, space.context);
    if (count == PCRE2_ERROR_NOMATCH) return false;
    if (count < 0)
      fail(Kind::input, "{}: the pattern fails on a text: {}", where, message_of(count));
    const PCRE2_SIZE* offsets = pcre2_get_ovector_pointer(space.data);
    match = {offsets[0], offsets[1]};
    return true;
  }
};

Regex::Regex(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Regex::~Regex() = default;
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;

Regex Regex::compile(const std::string& pattern, const std::string& where) {
  const std::string translated = Translator(pattern, where).run();
  auto impl = std::make_unique<Impl>();
  impl->where = where;
  int error = 0;
  PCRE2_SIZE offset = 0;
  // Multiline: ^ and $ match at lines in Ruby syntax.
  impl->code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                                 PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE, &error, &offset,
                                 nullptr));
  if (!impl->code) {
    fail(Kind::input, "{}: the pattern {} is not a regular expression: {}", where, pattern,
         message_of(error));
  }
  // Without JIT (not built in, or no executable memory) the interpreter does the same, slower.
  pcre2_jit_compile(impl->code.get(), PCRE2_JIT_COMPLETE);
  return Regex(std::move(impl));
}

Regex Regex::literal(std::string text) {
  auto impl = std::make_unique<Impl>();
  impl->literal = std::move(text);
  return Regex(std::move(impl));
}

void Regex::find_all(std::string_view text, std::vector<Span>& matches) const {
  size_t from = 0;
  size_t last_end = std::string_view::npos;
  Span match{};
  while (from <= text.size() && impl_->find(text, from, match)) {
    const bool is_empty = match.begin == match.end;
    // An empty match right behind the last one does not count (Oniguruma's iterator in Rust).
    if (!is_empty || match.end != last_end) matches.push_back(match);
    last_end = match.end;
    from = match.end;
    if (is_empty) from += from < text.size() ? unicode::character_bytes(text[from]) : 1;
  }
}

std::string Regex::replace_all(std::string_view text, std::string_view replacement) const {
  std::vector<Span> matches;
  find_all(text, matches);
  std::string result;
  size_t copied = 0;
  for (const Span& match : matches) {
    result.append(text.substr(copied, match.begin - copied)).append(replacement);
    copied = match.end;
  }
  return result.append(text.substr(copied));
}

}  // namespace kvcal
