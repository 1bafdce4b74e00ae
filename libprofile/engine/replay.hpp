// SPDX-License-Identifier: Apache-2.0
// KVzip's replay (arXiv:2505.23416, kvpress 0.5.5 `presses/kvzip_press.py`): after the prefill the
// model is asked to repeat the prompt and is fed the prompt itself, chunk by chunk; what each token
// gets attention for then is what the model would need to repeat it.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "kvcal/compress/layer_view.hpp"
#include "kvcal/profile/engine.hpp"

namespace kvcal {

/// Prompt tokens re-read at once (kvpress: chunk_size).
constexpr int64_t kReplayChunkTokens = 2048;
/// First prompt tokens that every re-reading token sees besides its chunk (kvpress: n_sink).
constexpr int64_t kReplaySinkTokens = 4;

/// The words around a re-read chunk, as tokens.
struct ReplayText {
  std::vector<int64_t> repeat_all;   ///< asks for the whole prompt: the first chunk
  std::vector<int64_t> repeat_part;  ///< asks for what follows the tokens to come: later chunks
  std::vector<int64_t> turn;         ///< end of the user's turn, start of the assistant's
  int64_t prefix_tokens = 0;         ///< of the chat format, never re-read

  ReplayText() = default;
  /// @param is_chat  the prompt is wrapped by the chat format
  ReplayText(const Tokenizer& tokenizer, const ChatFormat& chat, bool is_chat);
};

/// One pass: prompt tokens begin .. end - 1 are re-read by feeding `fed`.
struct ReplayPass {
  int64_t begin = 0, end = 0;
  std::vector<int64_t> fed;
};

/// Passes over ids[text.prefix_tokens ..]; none when nothing follows the prefix.
std::vector<ReplayPass> plan_replay(std::span<const int64_t> ids, const ReplayText& text,
                                    int64_t chunk_tokens);

/// Raises the replay statistics of a pass' tokens to the attention that the fed tokens give them:
/// softmax over [the first tokens, the chunk, the fed tokens up to the row's own] only.
class ReplayObserver : public LayerObserver {
 public:
  /// @param prompt      the prefilled prompt in its tail
  /// @param statistics  [layers], replay_attention and, if it is weighted, replay_weighted defined
  ReplayObserver(const CompactCache& prompt, const ReplayPass& pass, bool is_weighted,
                 std::vector<LayerStatistics>& statistics);

  void after_attention(const AttentionStep& step) override;

 private:
  const CompactCache& prompt_;
  const ReplayPass& pass_;
  bool is_weighted_;
  std::vector<LayerStatistics>& statistics_;
};

/// Re-reads a prefilled prompt and fills what `needs` asks for, if anything: replay statistics, and
/// repeat_queries, which are those of all fed tokens.
///
/// @param ids  of the prompt
/// @throws Error{input} the model is too short for the prompt and a chunk of it
void replay(const Model& model, std::span<const int64_t> ids, const ReplayText& text,
            const Needs& needs, Prefilled& prompt, int64_t chunk_tokens = kReplayChunkTokens);

}  // namespace kvcal
