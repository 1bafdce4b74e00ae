// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/tokenizer.hpp"

#include <mutex>

#include "kvcal/compress/error.hpp"
#include "tokenizer/added_tokens.hpp"
#include "tokenizer/bpe.hpp"
#include "tokenizer/decoder.hpp"
#include "tokenizer/json_part.hpp"
#include "tokenizer/normalizer.hpp"
#include "tokenizer/post_processor.hpp"
#include "tokenizer/pre_tokenizer.hpp"
#include "tokenizer/tokenizer_config.hpp"
#include "tokenizer/unicode.hpp"

namespace kvcal {
namespace {

/// The part of `root` under `key`; a T that does nothing when it is null.
template <class T>
T optional_part(const JsonPart& root, std::string_view key) {
  return root.has(key) ? T(root.object(key)) : T();
}

/// Caches, each lent to one call at a time, so that encode needs no lock while it works.
class CachePool {
 public:
  std::unique_ptr<PieceCache> take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) return std::make_unique<PieceCache>();
    auto cache = std::move(free_.back());
    free_.pop_back();
    return cache;
  }
  void give_back(std::unique_ptr<PieceCache> cache) {
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(cache));
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<PieceCache>> free_;
};

}  // namespace

struct Tokenizer::Impl {
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  Bpe model;
  AddedTokens added;
  PostProcessor post_processor;
  Decoder decoder;
  std::vector<std::string> tokens;  // by id; empty: no such id
  IdMap added_ids;
  std::string file;
  TokenizerConfig config;
  mutable CachePool caches;

  explicit Impl(const JsonPart& root)
      : normalizer(optional_part<Normalizer>(root, "normalizer")),
        pre_tokenizer(optional_part<PreTokenizer>(root, "pre_tokenizer")),
        model(root.object("model"), pre_tokenizer.is_byte_level()),
        added(root, model.vocabulary(), normalizer),
        post_processor(optional_part<PostProcessor>(root, "post_processor")),
        decoder(optional_part<Decoder>(root, "decoder")),
        file(root.where()) {
    for (const auto& [token, id] : model.vocabulary()) name_id(id, token);
    for (const AddedToken& token : added.list()) {
      name_id(token.id, token.content);
      added_ids[token.content] = token.id;
    }
  }

  void name_id(int32_t id, const std::string& token) {
    const auto index = static_cast<size_t>(id);
    if (index >= tokens.size()) tokens.resize(index + 1);
    tokens[index] = token;
  }

  bool has_token(int64_t id) const {
    return id >= 0 && id < static_cast<int64_t>(tokens.size()) &&
           !tokens[static_cast<size_t>(id)].empty();
  }

  void encode_plain(std::string_view text, bool is_first, PieceCache& cache,
                    std::vector<int64_t>& ids) const {
    Pieces pieces;
    pieces.list.push_back({text, is_first});
    pre_tokenizer.apply(pieces);
    for (const Piece& piece : pieces.list) model.encode(piece.text, cache, ids);
  }

  /// @param is_first  the section begins where the whole text begins
  void encode_section(std::string_view raw, bool is_first, PieceCache& cache,
                      std::vector<int64_t>& ids) const {
    std::string changed;
    std::string_view text = raw;
    if (!normalizer.is_identity()) text = changed = normalizer.apply(raw);
    for (const Section& section : added.split(text, true)) {
      if (section.id >= 0) {
        ids.push_back(section.id);
      } else {
        encode_plain(section.text, is_first && section.text.data() == text.data(), cache, ids);
      }
    }
  }
};

Tokenizer::Tokenizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::~Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;

// Differs: `truncation` and `padding` of the file are ignored; they belong to one use of a
// tokenizer.
Tokenizer Tokenizer::load(const std::filesystem::path& path) {
  const auto file = std::filesystem::is_directory(path) ? path / "tokenizer.json" : path;
  const nlohmann::json json = read_json(file);
  auto impl = std::make_unique<Impl>(JsonPart(json, file.string(), ""));
  if (file != path) impl->config = read_tokenizer_config(path);
  return Tokenizer(std::move(impl));
}

std::vector<int64_t> Tokenizer::encode(std::string_view text, bool add_special_tokens) const {
  const size_t invalid = unicode::first_invalid(text);
  require(invalid == text.size(), Kind::input, "text is not UTF-8 at byte {} of {}", invalid,
          text.size());
  std::vector<int64_t> ids;
  ids.reserve(text.size() / 4 + 4);
  auto cache = impl_->caches.take();
  for (const Section& section : impl_->added.split(text, false)) {
    if (section.id >= 0) {
      ids.push_back(section.id);
    } else {
      impl_->encode_section(section.text, section.text.data() == text.data(), *cache, ids);
    }
  }
  impl_->caches.give_back(std::move(cache));
  return add_special_tokens ? impl_->post_processor.apply(std::move(ids)) : ids;
}

std::string Tokenizer::decode(std::span<const int64_t> ids, bool skip_special_tokens) const {
  std::vector<std::string> tokens;
  tokens.reserve(ids.size());
  for (int64_t id : ids) {
    if (!impl_->has_token(id)) continue;
    const std::string& token = impl_->tokens[static_cast<size_t>(id)];
    if (!skip_special_tokens || !impl_->added.is_special(token)) tokens.push_back(token);
  }
  return impl_->decoder.apply(std::move(tokens));
}

std::string Tokenizer::decode_text(std::span<const int64_t> ids) const {
  std::string text = decode(ids);
  return impl_->config.cleans_up_spaces ? without_spaces_before_punctuation(std::move(text)) : text;
}

std::optional<int64_t> Tokenizer::eos_id() const {
  return impl_->config.eos_token ? token_id(*impl_->config.eos_token) : std::nullopt;
}

std::string Tokenizer::token_bytes(int64_t id) const {
  require(impl_->has_token(id), Kind::input, "{}: no token has id {}, need 0 .. {}", impl_->file,
          id, vocab_size() - 1);
  return impl_->decoder.bytes(impl_->tokens[static_cast<size_t>(id)]);
}

std::optional<int64_t> Tokenizer::token_id(std::string_view token) const {
  if (const auto found = impl_->added_ids.find(token); found != impl_->added_ids.end()) {
    return found->second;
  }
  const auto found = impl_->model.vocabulary().find(token);
  return found == impl_->model.vocabulary().end() ? std::nullopt
                                                  : std::optional<int64_t>(found->second);
}

int64_t Tokenizer::vocab_size() const {
  return static_cast<int64_t>(impl_->tokens.size());
}

}  // namespace kvcal
