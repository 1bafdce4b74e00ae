// SPDX-License-Identifier: Apache-2.0
// Bpe: the model of tokenizer.json. Turns one piece of text into ids by merging symbols in rank
// order.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tokenizer/json_part.hpp"

namespace kvcal {

/// Lets maps with std::string keys be searched by std::string_view.
struct TextHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};
using IdMap = std::unordered_map<std::string, int32_t, TextHash, std::equal_to<>>;

/// (left id, right id) -> rank and merged id, packed so that the smaller value merges first.
class MergeTable {
 public:
  static constexpr uint64_t kNone = ~uint64_t{0};

  explicit MergeTable(size_t merges);
  /// A pair given twice keeps its last rank, as in the tokenizers library.
  void set(int32_t left, int32_t right, uint32_t rank, int32_t merged);
  uint64_t find(int32_t left, int32_t right) const;  ///< kNone when the pair does not merge
  static int32_t merged_id(uint64_t merge) { return static_cast<int32_t>(merge & 0xFFFFFFFFu); }

 private:
  struct Slot {
    uint64_t pair = kNone;
    uint64_t merge = kNone;
  };
  size_t slot_of(uint64_t pair) const;
  std::vector<Slot> slots_;  // open addressing, at most half full
};

/// Ids of short pieces seen before: direct mapped, of fixed size, used by one thread at a time.
class PieceCache {
 public:
  static constexpr size_t kTextBytes = 30;  ///< longer pieces are not kept
  PieceCache() : slots_(kSlots) {}
  bool find(std::string_view piece, size_t hash, std::vector<int64_t>& ids) const;
  void keep(std::string_view piece, size_t hash, const int64_t* ids, size_t count);

 private:
  static constexpr size_t kSlots = 1 << 15, kIds = 8;
  struct Slot {
    uint8_t bytes = 0, count = 0;
    std::array<char, kTextBytes> text;
    std::array<int32_t, kIds> ids;
  };
  std::vector<Slot> slots_;
};

class Bpe {
 public:
  /// @param is_byte_level  pieces are bytes, vocabulary and merges are in the byte-level alphabet
  /// @throws Error{input} another model, an unsupported option, or merges outside the vocabulary
  Bpe(const JsonPart& part, bool is_byte_level);

  /// Appends the ids of one piece. Time O(n log n) in its bytes.
  void encode(std::string_view piece, PieceCache& cache, std::vector<int64_t>& ids) const;

  const IdMap& vocabulary() const { return vocabulary_; }

 private:
  void read_vocabulary(const JsonPart& part);
  void read_merges(const JsonPart& part);
  void read_bytes(const JsonPart& part);
  int32_t id_of_merge_part(const std::string& token, const JsonPart& merges, size_t index) const;
  void note_joints(std::string_view merged);
  static size_t joint_of(char left, char right) {
    return static_cast<size_t>(static_cast<unsigned char>(left)) << 8 |
           static_cast<unsigned char>(right);
  }
  void encode_cached(std::string_view piece, PieceCache& cache, std::vector<int64_t>& ids) const;
  void merge(std::string_view piece, std::vector<int64_t>& ids) const;
  void first_symbols(std::string_view piece, std::vector<int32_t>& symbols) const;
  bool add_bytes(std::string_view character, std::vector<int32_t>& symbols) const;

  bool is_byte_level_;
  bool ignores_merges_, has_byte_fallback_, fuses_unknown_;
  std::optional<int32_t> unknown_id_;
  IdMap vocabulary_;
  IdMap pieces_;  // text of a piece -> id, for ignores_merges_
  std::array<int32_t, 256>
      byte_ids_{};  // byte level: of the byte's character; else of <0xNN>; or -1
  std::unique_ptr<MergeTable> merges_;
  std::bitset<65536> joints_;  // neighbouring bytes inside some merged token
  bool may_merge_bytes_ = false;
  bool splits_at_joints_ = false;
};

}  // namespace kvcal
