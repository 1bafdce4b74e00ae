// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/added_tokens.hpp"

#include <algorithm>

#include "tokenizer/unicode.hpp"

namespace kvcal {
namespace {

AddedToken read_token(const JsonPart& part) {
  return {part.text("content"),
          static_cast<int32_t>(part.integer("id", 0, (1 << 24) - 1)),
          part.flag("special", false),
          part.flag("normalized", true),
          part.flag("single_word", false),
          part.flag("lstrip", false),
          part.flag("rstrip", false)};
}

bool is_alone(std::string_view text, size_t begin, size_t end) {
  const bool is_word_before =
      begin > 0 && unicode::is_word(unicode::last_character(text.substr(0, begin)));
  const bool is_word_behind =
      end < text.size() && unicode::is_word(unicode::first_character(text.substr(end)));
  return !is_word_before && !is_word_behind;
}

size_t strip_left(std::string_view text, size_t begin) {
  while (begin > 0) {
    const uint32_t character = unicode::last_character(text.substr(0, begin));
    if (!unicode::is_space(character)) break;
    do --begin;
    while (unicode::is_continuation(text[begin]));
  }
  return begin;
}

size_t strip_right(std::string_view text, size_t end) {
  while (end < text.size() && unicode::is_space(unicode::first_character(text.substr(end)))) {
    end += unicode::character_bytes(text[end]);
  }
  return end;
}

}  // namespace

void AddedTokens::Trie::add(std::string_view text, size_t token) {
  if (text.empty()) return;
  if (nodes_.empty()) nodes_.emplace_back();
  starts_[static_cast<unsigned char>(text[0])] = true;
  size_t node = 0;
  for (char c : text) {
    const auto [edge, is_new] = nodes_[node].next.try_emplace(c, nodes_.size());
    node = edge->second;
    if (is_new) nodes_.emplace_back();
  }
  nodes_[node].token = token;
}

std::pair<size_t, size_t> AddedTokens::Trie::longest(std::string_view text, size_t from) const {
  std::pair<size_t, size_t> best{0, kNone};
  size_t node = 0;
  for (size_t i = from; i < text.size(); ++i) {
    const auto edge = nodes_[node].next.find(text[i]);
    if (edge == nodes_[node].next.end()) break;
    node = edge->second;
    if (nodes_[node].token != kNone) best = {i + 1 - from, nodes_[node].token};
  }
  return best;
}

AddedTokens::AddedTokens(const JsonPart& root, const IdMap& vocabulary,
                         const Normalizer& normalizer) {
  if (!root.has("added_tokens")) return;
  for (const JsonPart& item : root.items("added_tokens")) {
    tokens_.push_back(read_token(item));
    const AddedToken& token = tokens_.back();
    if (token.is_special) special_.insert(token.content);
    if (token.is_normalized) {
      normalized_.add(normalizer.apply(token.content), tokens_.size() - 1);
    } else {
      raw_.add(token.content, tokens_.size() - 1);
    }
  }
  check_ids(root, vocabulary);
}

void AddedTokens::check_ids(const JsonPart& root, const IdMap& vocabulary) const {
  std::unordered_map<int32_t, std::string> owners;
  for (const AddedToken& token : tokens_) owners.try_emplace(token.id, token.content);
  for (const auto& [content, id] : vocabulary) {
    if (const auto owner = owners.find(id); owner != owners.end()) owner->second = content;
  }
  for (const AddedToken& token : tokens_) {
    require(owners[token.id] == token.content, Kind::input,
            "{}: added token '{}' has id {}, which belongs to '{}'", root.where(), token.content,
            token.id, owners[token.id]);
    const auto found = vocabulary.find(token.content);
    if (found != vocabulary.end() && found->second != token.id) {
      fail(Kind::input, "{}: added token '{}' has id {}, but {} in the vocabulary", root.where(),
           token.content, token.id, found->second);
    }
  }
}

std::vector<Section> AddedTokens::split(std::string_view text, bool is_normalized) const {
  const Trie& trie = is_normalized ? normalized_ : raw_;
  std::vector<Section> sections;
  size_t done = 0;
  for (size_t i = 0; !trie.is_empty() && i < text.size();) {
    const auto [bytes, index] =
        trie.may_start(text[i]) ? trie.longest(text, i) : std::pair<size_t, size_t>{0, 0};
    if (bytes == 0) {
      ++i;
      continue;
    }
    size_t begin = i, end = i + bytes;
    i = end;
    const AddedToken& token = tokens_[index];
    if (token.is_single_word && !is_alone(text, begin, end)) continue;
    if (token.strips_left) begin = std::max(strip_left(text, begin), done);
    if (token.strips_right) end = strip_right(text, end);
    if (done < begin) sections.push_back({text.substr(done, begin - done), -1});
    sections.push_back({text.substr(begin, end - begin), token.id});
    done = end;
  }
  if (done < text.size()) sections.push_back({text.substr(done), -1});
  return sections;
}

}  // namespace kvcal
