// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/bpe.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <queue>

#include "tokenizer/byte_level.hpp"
#include "tokenizer/unicode.hpp"

namespace kvcal {
namespace {

constexpr int64_t kMaxId = (1 << 24) - 1;  // no vocabulary is near; a larger one is damage

uint64_t pair_of(int32_t left, int32_t right) {
  return (static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32) | static_cast<uint32_t>(right);
}

/// Merges by scanning for the best pair: quadratic, but the fastest for the usual few symbols.
void merge_short(std::vector<int32_t>& symbols, const MergeTable& table) {
  static thread_local std::vector<uint64_t> merges;  // of symbols i and i + 1
  merges.clear();
  for (size_t i = 0; i + 1 < symbols.size(); ++i) {
    merges.push_back(table.find(symbols[i], symbols[i + 1]));
  }
  while (!merges.empty()) {
    const auto best = std::min_element(merges.begin(), merges.end());
    if (*best == MergeTable::kNone) return;
    const auto i = static_cast<size_t>(best - merges.begin());
    symbols[i] = MergeTable::merged_id(*best);
    symbols.erase(symbols.begin() + static_cast<int64_t>(i) + 1);
    merges.erase(best);
    if (i > 0) merges[i - 1] = table.find(symbols[i - 1], symbols[i]);
    if (i < merges.size()) merges[i] = table.find(symbols[i], symbols[i + 1]);
  }
}

/// Merges with a heap over a linked list: O(n log n).
class LongMerger {
 public:
  LongMerger(const std::vector<int32_t>& symbols, const MergeTable& table) : table_(table) {
    nodes_.resize(symbols.size());
    const auto count = static_cast<int32_t>(symbols.size());
    for (int32_t i = 0; i < count; ++i) {
      nodes_[at(i)] = {symbols[at(i)], i - 1, i + 1 < count ? i + 1 : -1, MergeTable::kNone};
    }
    for (int32_t i = 0; i + 1 < count; ++i) rate(i);
  }

  void run(std::vector<int32_t>& symbols) {
    while (!heap_.empty()) {
      const Candidate best = heap_.top();
      heap_.pop();
      // The pair at this place has changed since.
      if (nodes_[at(best.place)].merge != best.merge) continue;
      merge(best.place);
    }
    symbols.clear();
    for (int32_t i = 0; i >= 0; i = nodes_[at(i)].next) symbols.push_back(nodes_[at(i)].symbol);
  }

 private:
  struct Node {
    int32_t symbol, previous, next;
    uint64_t merge;  // with next
  };
  struct Candidate {
    uint64_t merge;
    int32_t place;
    bool operator>(const Candidate& other) const {
      return merge != other.merge ? merge > other.merge : place > other.place;
    }
  };

  static size_t at(int32_t place) { return static_cast<size_t>(place); }

  void rate(int32_t place) {
    Node& node = nodes_[at(place)];
    node.merge =
        node.next < 0 ? MergeTable::kNone : table_.find(node.symbol, nodes_[at(node.next)].symbol);
    if (node.merge != MergeTable::kNone) heap_.push({node.merge, place});
  }

  void merge(int32_t place) {
    Node& left = nodes_[at(place)];
    Node& right = nodes_[at(left.next)];
    left.symbol = MergeTable::merged_id(left.merge);
    left.next = right.next;
    right.merge = MergeTable::kNone;
    if (left.next >= 0) nodes_[at(left.next)].previous = place;
    rate(place);
    if (left.previous >= 0) rate(left.previous);
  }

  const MergeTable& table_;
  std::vector<Node> nodes_;
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> heap_;
};

/// Both spellings of a merge: "a b" and ["a", "b"].
std::pair<std::string, std::string> merge_parts(const nlohmann::json& merge, const JsonPart& merges,
                                                size_t index) {
  if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
    return {merge[0].get<std::string>(), merge[1].get<std::string>()};
  }
  const std::string text = merge.is_string() ? merge.get<std::string>() : "";
  const size_t space = text.find(' ');
  if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos) {
    fail(Kind::input, "{}[{}] is no pair of tokens, need \"a b\" or [\"a\", \"b\"]", merges.where(),
         index);
  }
  return {text.substr(0, space), text.substr(space + 1)};
}

void require_empty(const JsonPart& part, std::string_view key) {
  const bool is_empty = !part.has(key) || part.at(key).value() == nlohmann::json("") ||
                        part.at(key).value() == nlohmann::json(0.0);
  require(is_empty, Kind::input, "{}.{} is not supported, need null", part.where(), key);
}

}  // namespace

MergeTable::MergeTable(size_t merges) : slots_(std::bit_ceil(2 * merges + 2)) {}

size_t MergeTable::slot_of(uint64_t pair) const {
  const size_t mask = slots_.size() - 1;
  size_t slot = static_cast<size_t>((pair * 0x9E3779B97F4A7C15u) >> 32) & mask;
  while (slots_[slot].pair != pair && slots_[slot].pair != kNone) slot = (slot + 1) & mask;
  return slot;
}

void MergeTable::set(int32_t left, int32_t right, uint32_t rank, int32_t merged) {
  const uint64_t pair = pair_of(left, right);
  slots_[slot_of(pair)] = {pair,
                           (static_cast<uint64_t>(rank) << 32) | static_cast<uint32_t>(merged)};
}

uint64_t MergeTable::find(int32_t left, int32_t right) const {
  return slots_[slot_of(pair_of(left, right))].merge;
}

bool PieceCache::find(std::string_view piece, size_t hash, std::vector<int64_t>& ids) const {
  const Slot& slot = slots_[hash % kSlots];
  if (slot.bytes != piece.size() ||
      std::memcmp(slot.text.data(), piece.data(), piece.size()) != 0) {
    return false;
  }
  ids.insert(ids.end(), slot.ids.begin(), slot.ids.begin() + slot.count);
  return true;
}

void PieceCache::keep(std::string_view piece, size_t hash, const int64_t* ids, size_t count) {
  if (piece.size() > kTextBytes || count > kIds) return;
  Slot& slot = slots_[hash % kSlots];
  slot.bytes = static_cast<uint8_t>(piece.size());
  slot.count = static_cast<uint8_t>(count);
  std::copy(piece.begin(), piece.end(), slot.text.begin());
  for (size_t i = 0; i < count; ++i) slot.ids[i] = static_cast<int32_t>(ids[i]);
}

Bpe::Bpe(const JsonPart& part, bool is_byte_level) : is_byte_level_(is_byte_level) {
  const std::string type = part.has("type") ? part.text("type") : "BPE";
  if (type != "BPE") part.unsupported("model", type, "BPE");
  for (const char* key : {"dropout", "continuing_subword_prefix", "end_of_word_suffix"}) {
    require_empty(part, key);
  }
  ignores_merges_ = part.flag("ignore_merges", false);
  has_byte_fallback_ = part.flag("byte_fallback", false);
  fuses_unknown_ = part.flag("fuse_unk", false);
  read_vocabulary(part);
  read_merges(part);
  read_bytes(part);
  if (part.has("unk_token")) {
    const auto found = vocabulary_.find(part.text("unk_token"));
    require(found != vocabulary_.end(), Kind::input, "{}.unk_token '{}' is not in the vocabulary",
            part.where(), part.text("unk_token"));
    unknown_id_ = found->second;
  }
  // Runs of unknown characters and merges of fallback bytes could cross a joint.
  const bool has_all_bytes =
      has_byte_fallback_ && std::find(byte_ids_.begin(), byte_ids_.end(), -1) == byte_ids_.end();
  splits_at_joints_ = (!unknown_id_ || has_all_bytes) && !(has_byte_fallback_ && may_merge_bytes_);
}

void Bpe::read_vocabulary(const JsonPart& part) {
  const JsonPart vocabulary = part.object("vocab");
  std::vector<bool> is_given;
  vocabulary_.reserve(vocabulary.value().size());
  for (const auto& [token, id] : vocabulary.value().items()) {
    const bool is_id =
        id.is_number_integer() && id.get<int64_t>() >= 0 && id.get<int64_t>() <= kMaxId;
    if (!is_id) {
      fail(Kind::input, "{}['{}'] = {}, need an id in 0 .. {}", vocabulary.where(), token,
           id.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace), kMaxId);
    }
    const auto index = id.get<size_t>();
    if (index >= is_given.size()) is_given.resize(std::max(index + 1, 2 * is_given.size()));
    if (is_given[index]) {
      fail(Kind::input, "{}: id {} is given to two tokens, '{}' is one", vocabulary.where(), index,
           token);
    }
    is_given[index] = true;
    vocabulary_.emplace(token, static_cast<int32_t>(index));
  }
  if (!ignores_merges_) return;
  for (const auto& [token, id] : vocabulary_) {
    const auto piece = is_byte_level_ ? byte_level::bytes(token) : token;
    if (piece) pieces_.emplace(*piece, id);
  }
}

int32_t Bpe::id_of_merge_part(const std::string& token, const JsonPart& merges,
                              size_t index) const {
  const auto found = vocabulary_.find(token);
  if (found == vocabulary_.end()) {
    fail(Kind::input, "{}[{}]: '{}' is not in the vocabulary", merges.where(), index, token);
  }
  return found->second;
}

void Bpe::read_merges(const JsonPart& part) {
  const JsonPart merges = part.array("merges");
  merges_ = std::make_unique<MergeTable>(merges.value().size());
  size_t index = 0;
  for (const auto& merge : merges.value()) {
    const auto [left, right] = merge_parts(merge, merges, index);
    const std::string merged = left + right;
    const int32_t left_id = id_of_merge_part(left, merges, index);
    const int32_t right_id = id_of_merge_part(right, merges, index);
    merges_->set(left_id, right_id, static_cast<uint32_t>(index),
                 id_of_merge_part(merged, merges, index));
    note_joints(is_byte_level_ ? byte_level::bytes(merged).value_or("") : merged);
    may_merge_bytes_ |= left.starts_with("<0x") || right.starts_with("<0x");
    ++index;
  }
}

void Bpe::note_joints(std::string_view merged) {
  for (size_t i = 0; i + 1 < merged.size(); ++i) joints_.set(joint_of(merged[i], merged[i + 1]));
}

void Bpe::read_bytes(const JsonPart& part) {
  require(!is_byte_level_ || !has_byte_fallback_, Kind::input,
          "{}: byte_fallback together with a ByteLevel pre-tokenizer is not supported",
          part.where());
  for (unsigned byte = 0; byte < 256; ++byte) {
    const std::string token = is_byte_level_
                                  ? byte_level::character(static_cast<unsigned char>(byte))
                                  : fmt::format("<0x{:02X}>", byte);
    const auto found = vocabulary_.find(token);
    byte_ids_[byte] = found == vocabulary_.end() ? -1 : found->second;
  }
}

void Bpe::encode(std::string_view piece, PieceCache& cache, std::vector<int64_t>& ids) const {
  if (piece.size() <= PieceCache::kTextBytes) {
    encode_cached(piece, cache, ids);
    return;
  }
  if (ignores_merges_) {
    if (const auto found = pieces_.find(piece); found != pieces_.end()) {
      ids.push_back(found->second);
      return;
    }
  }
  if (!splits_at_joints_) {
    merge(piece, ids);
    return;
  }
  // No token of two bytes or more crosses such a place, so the parts are independent.
  size_t begin = 0;
  for (size_t i = 1; i <= piece.size(); ++i) {
    if (i < piece.size()) {
      const bool is_inside = !is_byte_level_ && unicode::is_continuation(piece[i]);
      if (is_inside || joints_[joint_of(piece[i - 1], piece[i])]) continue;
    }
    const std::string_view part = piece.substr(begin, i - begin);
    // A part is no piece: ignores_merges_ does not hold for it, and so neither does the cache.
    if (ignores_merges_ || part.size() > PieceCache::kTextBytes) {
      merge(part, ids);
    } else {
      encode_cached(part, cache, ids);
    }
    begin = i;
  }
}

void Bpe::encode_cached(std::string_view piece, PieceCache& cache,
                        std::vector<int64_t>& ids) const {
  if (piece.empty()) return;
  const size_t hash = TextHash{}(piece);
  if (cache.find(piece, hash, ids)) return;
  const size_t before = ids.size();
  const auto found = ignores_merges_ ? pieces_.find(piece) : pieces_.end();
  if (found != pieces_.end()) {
    ids.push_back(found->second);
  } else {
    merge(piece, ids);
  }
  cache.keep(piece, hash, ids.data() + before, ids.size() - before);
}

void Bpe::merge(std::string_view piece, std::vector<int64_t>& ids) const {
  constexpr size_t kShort = 64;  // symbols; longer pieces are faster with the heap
  static thread_local std::vector<int32_t> symbols;
  symbols.clear();
  first_symbols(piece, symbols);
  if (symbols.size() <= kShort) {
    merge_short(symbols, *merges_);
  } else {
    LongMerger(symbols, *merges_).run(symbols);
  }
  ids.insert(ids.end(), symbols.begin(), symbols.end());
}

bool Bpe::add_bytes(std::string_view character, std::vector<int32_t>& symbols) const {
  const auto id_of = [&](char byte) { return byte_ids_[static_cast<unsigned char>(byte)]; };
  for (char byte : character) {
    if (id_of(byte) < 0) return false;
  }
  for (char byte : character) symbols.push_back(id_of(byte));
  return true;
}

/// One symbol per character (byte level: per byte); unknown ones become the unknown token, or
/// vanish when there is none. As in the tokenizers library, an unknown run is written when the next
/// known symbol comes, so bytes of a fallback in between go before it.
void Bpe::first_symbols(std::string_view piece, std::vector<int32_t>& symbols) const {
  bool is_pending = false;
  const auto flush = [&] {
    if (is_pending) symbols.push_back(*unknown_id_);
    is_pending = false;
  };
  for (size_t i = 0; i < piece.size();) {
    const size_t bytes = is_byte_level_ ? 1 : unicode::character_bytes(piece[i]);
    const std::string_view character = piece.substr(i, bytes);
    i += bytes;
    int32_t id = -1;
    if (is_byte_level_) {
      id = byte_ids_[static_cast<unsigned char>(character[0])];
    } else if (const auto found = vocabulary_.find(character); found != vocabulary_.end()) {
      id = found->second;
    }
    if (id >= 0) {
      flush();
      symbols.push_back(id);
    } else if (!(has_byte_fallback_ && add_bytes(character, symbols)) && unknown_id_) {
      if (!fuses_unknown_) flush();
      is_pending = true;
    }
  }
  flush();
}

}  // namespace kvcal
