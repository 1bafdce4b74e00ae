// SPDX-License-Identifier: Apache-2.0
// Chunked compaction of documents (arXiv:2602.16284, the authors' text-based chunks,
// `compaction_methods/chunked.py`, 2e59cc8): each window is prefilled by itself behind what the
// chat format puts first, compacted and dropped; what is left of all of them is one cache. So the
// memory is that of one window and of what is kept, however long the document is.
//
// Differs  windows of equal size instead of 4096 tokens and a rest, whose share of a small budget
//          may be nothing; the end of the chat turn is not fed with the last window, but with the
//          question; positions side by side are of arXiv:2212.10947.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "kvcal/profile/engine.hpp"

namespace kvcal {

/// Tokens first .. first + count - 1 of a document, fed behind its first `lead` tokens. The first
/// window's lead belongs to the document and stays; the others' is dropped.
struct DocumentWindow {
  int64_t first = 0, count = 0;  ///< of the first window: from 0, with the lead
  int64_t dropped = 0;           ///< fed tokens in front that are not of this window
};

/// As few windows of at most `window_tokens` fed tokens as will do, of equal size.
/// @throws Error{config} window_tokens has no room behind the lead
std::vector<DocumentWindow> plan_windows(int64_t tokens, int64_t lead, int64_t window_tokens);

/// Turns keys by as many positions more, in f32.
/// @param keys  [entries, head_dim] after RoPE
/// @param frequencies  see Model::rope_frequencies
at::Tensor turned(const at::Tensor& keys, int64_t positions, const at::Tensor& frequencies);

class WindowedCompressor {
 public:
  /// All arguments outlive it.
  WindowedCompressor(const PromptReader& reader, const ProfileFacts& facts,
                     std::span<const int64_t> ids, bool is_chat, uint64_t seed);

  /// Makes what is not there yet of the variants with windows: those with the same window share its
  /// prefill. A window's budget is its share of the tokens.
  /// @throws Error{config} a window's budget is below what a method needs
  void compress_all(std::span<const Variant> variants);

  /// What compress_all made.
  Compression compressed(const Variant& variant, int64_t tail_capacity) const;

  /// Of all windows so far.
  double prefill_seconds() const { return prefill_seconds_; }
  /// The most that caches held at any time: a window's, and what was kept of those before it.
  int64_t peak_bytes() const { return peak_bytes_; }

 private:
  struct Parts;
  /// A variant that compress_all did not make yet and is not asked to make already.
  void add_missing(const Variant& variant, std::vector<Parts>& group) const;
  void compress_window(const DocumentWindow& window, std::vector<Parts>& group);
  void add_part(const DocumentWindow& window, const Compression& part, Parts& parts) const;
  Compression joined(const Parts& parts, int64_t longest_window) const;
  static bool is_in_document(const Parts& parts);
  std::string key_of(const Variant& variant) const;
  int64_t tokens() const { return static_cast<int64_t>(ids_.size()); }

  const PromptReader& reader_;
  const ProfileFacts& facts_;
  std::span<const int64_t> ids_;
  bool is_chat_;
  uint64_t seed_;
  std::map<std::string, Compression> made_;  // by method and budget
  double prefill_seconds_ = 0;
  int64_t peak_bytes_ = 0;
};

}  // namespace kvcal
