// SPDX-License-Identifier: Apache-2.0
// Needle-in-a-haystack contexts at token level, for the NIAH task and for head identification.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "kvcal/profile/tokenizer.hpp"

namespace kvcal {

struct Needle {
  std::string id;
  std::string needle;    ///< the sentence hidden in the text
  std::string question;  ///< shares words with the needle
  std::string
      paraphrased_question;  ///< asks the same in other words; may be empty in foreign files
  std::string answer;        ///< the part of the needle that answers (CompressKV: real_needle)
  std::vector<std::string> decoys =
      {};  ///< sentences of its form about something else; may be empty
};

/// JSONL: our fields, or CompressKV's {needle, question, real_needle}.
/// @throws Error{input} file:line, field
std::vector<Needle> load_needles(const std::filesystem::path& file);

/// One text per haystack: every sub-folder of `directory` is one haystack (its .txt files joined in
/// sorted order); a folder with .txt files of its own is one haystack too.
/// @throws Error{input} no text found
struct Haystack {
  std::string name;
  std::string text;
};
std::vector<Haystack> load_haystacks(const std::filesystem::path& directory);

/// Where a needle may stand. `sound` is the default; `compresskv` reproduces the authors' tokenizer
/// round trips (BOS in every piece, period set = encoding of "."; see docs/cli.md).
enum class Placement { sound, compresskv };

/// A sentence that stands in the haystack beside the needle.
struct PlacedText {
  std::string text;
  double depth = 0;  ///< 0 .. 1, of the room that needle and reserve leave
};

struct NeedleContextRequest {
  int64_t length_tokens =
      0;  ///< nominal length L; the context with the needle has at most L - reserve
  int64_t reserve_tokens = 200;
  double depth = 0;  ///< 0 .. 1
  int64_t start_token =
      0;  ///< sound only: the haystack is read from here (moved to a sentence start)
  Placement placement = Placement::sound;
  std::vector<PlacedText> others = {};  ///< sound only; their places do not depend on the needle's
};

/// A haystack tokenized once, cut and filled many times.
class HaystackTokens {
 public:
  HaystackTokens(const Tokenizer& tokenizer, Haystack haystack);

  const std::string& name() const { return name_; }
  int64_t tokens() const { return static_cast<int64_t>(ids_.size()); }

  /// Context text with the needle inserted at a sentence end at or before `depth`.
  std::string fill(const Needle& needle, const NeedleContextRequest& request) const;

 private:
  const Tokenizer* tokenizer_;
  std::string name_;
  std::string text_;
  std::vector<int64_t> ids_;              ///< of the text and a blank line, without special tokens
  std::vector<int64_t> sentence_starts_;  ///< token positions, ascending
};

/// First window of |answer tokens| prompt positions whose set of ids covers more than 0.9 of the
/// answer's id set (CompressKV); {0, 0} if there is none. The sound rule tries the answer's
/// encodings with and without a leading space and takes an exact match first.
struct TokenSpan {
  int64_t begin = 0, end = 0;
  int64_t size() const { return end - begin; }
};
TokenSpan find_answer_span(const Tokenizer& tokenizer, const std::vector<int64_t>& prompt,
                           const std::string& answer, Placement placement);

}  // namespace kvcal
