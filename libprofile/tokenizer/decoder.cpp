// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/decoder.hpp"

#include <fmt/ranges.h>

#include <charconv>

#include "tokenizer/byte_level.hpp"
#include "tokenizer/normalizer.hpp"
#include "tokenizer/regex.hpp"
#include "tokenizer/unicode.hpp"

namespace kvcal {
namespace {

std::string join(const std::vector<std::string>& tokens) {
  std::string text;
  for (const std::string& token : tokens) text += token;
  return text;
}

class ByteLevelDecoding : public Decoder::Step {
 public:
  void apply(std::vector<std::string>& tokens) const override {
    std::string text;
    for (const std::string& token : tokens) text += bytes(token);
    tokens = {unicode::replace_invalid(text)};
  }
  std::string bytes(const std::string& token) const override {
    return byte_level::bytes(token).value_or(token);
  }
};

class FuseDecoding : public Decoder::Step {
 public:
  void apply(std::vector<std::string>& tokens) const override { tokens = {join(tokens)}; }
};

/// Runs of <0xNN> become their bytes, or one U+FFFD each when they are not UTF-8 together.
class ByteFallbackDecoding : public Decoder::Step {
 public:
  void apply(std::vector<std::string>& tokens) const override {
    std::vector<std::string> result;
    std::string run;
    const auto flush = [&] {
      if (run.empty()) return;
      if (unicode::first_invalid(run) == run.size()) {
        result.push_back(run);
      } else {
        result.insert(result.end(), run.size(), "\xEF\xBF\xBD");
      }
      run.clear();
    };
    for (std::string& token : tokens) {
      unsigned char byte = 0;
      if (parse(token, byte)) {
        run.push_back(static_cast<char>(byte));
      } else {
        flush();
        result.push_back(std::move(token));
      }
    }
    flush();
    tokens = std::move(result);
  }
  std::string bytes(const std::string& token) const override {
    unsigned char byte = 0;
    return parse(token, byte) ? std::string(1, static_cast<char>(byte)) : token;
  }

 private:
  static bool parse(const std::string& token, unsigned char& byte) {
    if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return false;
    return std::from_chars(token.data() + 3, token.data() + 5, byte, 16).ptr == token.data() + 5;
  }
};

/// Takes up to `start` and `stop` copies of a character off the ends of each token.
class StripDecoding : public Decoder::Step {
 public:
  StripDecoding(std::string content, int64_t start, int64_t stop)
      : content_(std::move(content)), start_(start), stop_(stop) {}

  void apply(std::vector<std::string>& tokens) const override {
    for (std::string& token : tokens) {
      for (int64_t i = 0; i < start_ && token.starts_with(content_); ++i) {
        token.erase(0, content_.size());
      }
      for (int64_t i = 0; i < stop_ && token.ends_with(content_); ++i) {
        token.resize(token.size() - content_.size());
      }
    }
  }

 private:
  std::string content_;
  int64_t start_, stop_;
};

class ReplaceDecoding : public Decoder::Step {
 public:
  ReplaceDecoding(Regex pattern, std::string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}

  void apply(std::vector<std::string>& tokens) const override {
    for (std::string& token : tokens) token = bytes(token);
  }
  std::string bytes(const std::string& token) const override {
    return pattern_.replace_all(token, content_);
  }

 private:
  Regex pattern_;
  std::string content_;
};

/// The mark becomes a space; in the first token it vanishes when encoding had put it there.
class MetaspaceDecoding : public Decoder::Step {
 public:
  MetaspaceDecoding(const std::string& mark, bool drops_first)
      : mark_(Regex::literal(mark)), drops_first_(drops_first) {}

  void apply(std::vector<std::string>& tokens) const override {
    for (size_t i = 0; i < tokens.size(); ++i) {
      tokens[i] = mark_.replace_all(tokens[i], i == 0 && drops_first_ ? "" : " ");
    }
  }
  std::string bytes(const std::string& token) const override {
    return mark_.replace_all(token, " ");
  }

 private:
  Regex mark_;
  bool drops_first_;
};

std::unique_ptr<Decoder::Step> read_step(const JsonPart& part, const std::string& type) {
  if (type == "ByteLevel") return std::make_unique<ByteLevelDecoding>();
  if (type == "Fuse") return std::make_unique<FuseDecoding>();
  if (type == "ByteFallback") return std::make_unique<ByteFallbackDecoding>();
  if (type == "Replace")
    return std::make_unique<ReplaceDecoding>(read_pattern(part), part.text("content"));
  if (type == "Strip") {
    const std::string content = part.text("content");
    require(!content.empty(), Kind::input, "{}.content is empty, need one character", part.where());
    return std::make_unique<StripDecoding>(content, part.integer("start", 0, 1000),
                                           part.integer("stop", 0, 1000));
  }
  if (type == "Metaspace") {
    const bool is_never = part.has("prepend_scheme") ? part.text("prepend_scheme") == "never"
                                                     : !part.flag("add_prefix_space", true);
    const std::string mark = part.text("replacement");
    require(!mark.empty(), Kind::input, "{}.replacement is empty, need one character",
            part.where());
    return std::make_unique<MetaspaceDecoding>(mark, !is_never);
  }
  part.unsupported("decoder", type,
                   "ByteLevel, ByteFallback, Fuse, Metaspace, Replace, Sequence, Strip");
}

}  // namespace

void Decoder::add(const JsonPart& part, int depth) {
  require_shallow(part, depth);
  const std::string type = part.text("type");
  if (type != "Sequence") {
    steps_.push_back(read_step(part, type));
    return;
  }
  for (const JsonPart& item : part.items("decoders")) add(item, depth + 1);
}

std::string Decoder::apply(std::vector<std::string> tokens) const {
  if (steps_.empty()) return fmt::format("{}", fmt::join(tokens, " "));
  for (const auto& step : steps_) step->apply(tokens);
  return join(tokens);
}

std::string Decoder::bytes(std::string token) const {
  for (const auto& step : steps_) token = step->bytes(token);
  return token;
}

}  // namespace kvcal
