// SPDX-License-Identifier: Apache-2.0
// Engine: one prefill per prompt, every method and budget from it. A scorer scores once per prompt,
// each budget slices the same ranking, and each variant decodes over a cache that holds the kept
// entries only.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kvcal/compress/keep_set.hpp"
#include "kvcal/profile/budget.hpp"
#include "kvcal/profile/chat_format.hpp"
#include "kvcal/profile/method.hpp"
#include "kvcal/profile/model.hpp"
#include "kvcal/profile/results.hpp"
#include "kvcal/profile/task.hpp"
#include "kvcal/profile/tokenizer.hpp"

namespace kvcal {

/// What compression may see. aware: the whole prompt with its question. agnostic: the context only;
/// the question then runs over the compacted cache at the original positions. multi: agnostic, and
/// all questions about one document are asked of the same compacted cache.
enum class Visibility { aware, agnostic, multi };
Visibility parse_visibility(std::string_view text);
std::string_view to_string(Visibility visibility);

/// A prompt as token ids, split where compression may stop looking. `question` is empty when aware.
struct PromptTokens {
  std::vector<int64_t> context;
  std::vector<int64_t> question;

  int64_t total() const { return static_cast<int64_t>(context.size() + question.size()); }
};

/// The text given to the model.
std::string prompt_text(const Sample& sample, const ChatFormat& chat);
PromptTokens tokenize_prompt(const Sample& sample, const ChatFormat& chat,
                             const Tokenizer& tokenizer, Visibility visibility);

/// Statistics as they stood after some tokens of a prefill (prefill_statistics.hpp).
struct PrefillSnapshots;

/// Tokens that were fed behind a prompt, and the sample that their queries belong to.
struct ReferenceText {
  ReferenceQueries LayerStatistics::*source;
  std::vector<int64_t> ids;
};

/// A prompt after its prefill: entries, what the methods asked for, and the logits of its last
/// token.
struct Prefilled {
  std::vector<int64_t> ids;
  CompactCache cache;                       ///< empty prefix, the prompt in the tail
  std::vector<at::Tensor> window_queries;   ///< [layers], each [heads, window, head_dim]
  std::vector<LayerStatistics> statistics;  ///< [layers]
  at::Tensor last_logits;                   ///< [1, vocab] f32
  int64_t reused_tokens = 0;  ///< prefilled before, for another prompt that begins alike
  double seconds = 0;         ///< of the others
  Needs needs = {};           ///< what was gathered
  at::Tensor sentences = {};  ///< [tokens] i64, see LayerView; undefined unless it was asked for
  std::shared_ptr<const PrefillSnapshots> snapshots = nullptr;  ///< where a next prompt can start
  /// What was fed behind the prompt for the sake of reference queries.
  std::vector<ReferenceText> reference_texts = {};

  int64_t tokens() const { return cache.tail_tokens(); }
};

/// Tokens are fed in chunks of Model::prefill_chunk_tokens, counted from the first one. So what is
/// computed for a chunk depends on the tokens up to its end alone, and a prompt that begins as
/// `previous` does takes over whole chunks of it: the result has the same bits as without.
///
/// @param needs     what to gather; window queries are fewer when the prompt is shorter. A replay
///                  needs passes of its own: see replay.hpp.
/// @param previous  another prompt, or null; one with other needs is of no use and left alone
/// @throws Error{input} the prompt and what follows it are longer than the model
Prefilled prefill(const Model& model, std::span<const int64_t> ids, const Needs& needs,
                  const Prefilled* previous = nullptr);

/// A model with what makes tokens of text. All outlive who holds it.
struct PromptReader {
  const Model& model;
  const Tokenizer& tokenizer;
  const ChatFormat& chat;
};

/// What a prompt's needs ask for beyond its prefill, in passes of their own: replay, sentences,
/// self-study.
/// @param is_chat  the prompt is the open user's turn of the chat format
void gather_more(const PromptReader& reader, bool is_chat, Prefilled& prompt);

/// What a method keeps of a prefilled prompt.
struct Compression {
  std::vector<KeepSet> kept;  ///< [layers]; empty when nothing was cut
  CompactCache cache;         ///< the kept entries as prefix, empty tail
  bool is_uncompressed = false;
};

/// Scores of one prompt by scorer and parameters, so that budgets and methods share them.
class Compressor {
 public:
  /// @param seed         of run and sample, see LayerView::seed
  /// @param lead_tokens  first tokens that were fed for the others' sake: neither looked at nor
  /// kept
  Compressor(const Model& model, const Prefilled& prompt, const ProfileFacts& facts, uint64_t seed,
             int64_t lead_tokens = 0);
  ~Compressor();

  /// Keeps exactly budget_tokens * layers * kv_heads entries (unless the method says of itself that
  /// it is not exact), or all of a prompt that is not longer.
  /// @throws Error{config}   the budget is below what the method needs
  ///         Error{internal} an allocator or selection did not honour the budget
  Compression compress(const Method& method, int64_t budget_tokens, int64_t tail_capacity);

  /// Keeps what `counts` says, by the method's scores and selector; its allocator has no say.
  /// @param counts  [layers, kv_heads] i64 on the CPU, each in 1 .. tokens
  Compression compress_to(const Method& method, const at::Tensor& counts, int64_t tail_capacity);

  /// The same of one layer alone.
  /// @param counts  [kv_heads]
  CompactLayer compress_layer(const Method& method, int64_t layer, const at::Tensor& counts);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// What ends a generation before max_new_tokens.
struct StopRule {
  std::vector<int64_t> ids;    ///< one of them
  int64_t min_new_tokens = 0;  ///< but it is not chosen before so many others
};
/// The sample's own rule, else the model's.
StopRule stop_rule(const Sample& sample, const ModelConfig& model);

struct Generation {
  std::vector<int64_t> ids;        ///< without the stop token
  std::optional<int64_t> stop_id;  ///< the token that ended it, if one did
  double seconds = 0;              ///< of the decode steps; in a batch, this sequence's share
  int64_t steps = 0;               ///< forward passes of one token
};

/// Greedy decoding. The first token comes from `first_logits`; equal logits go to the lower id.
/// @param on_token  called after each chosen token with its id; a false result ends the generation
Generation generate(const Model& model, CompactCache& cache, const at::Tensor& first_logits,
                    int64_t max_new_tokens, const StopRule& stop, LayerObserver* observer = nullptr,
                    const std::function<bool(int64_t)>& on_token = {});

/// One sequence of a batch that is decoded together.
struct Continuation {
  CompactCache* cache = nullptr;
  at::Tensor first_logits;  ///< [1, vocab] or [vocab] f32, of the last token fed
  int64_t max_new_tokens = 0;
  const HeadMask* mask = nullptr;
  Generation generation = {};
};

/// Greedy decoding of all sequences, one step for all of them at a time; one that ends leaves the
/// batch. Each gets the same tokens as it would alone.
void generate_together(const Model& model, std::span<Continuation> sequences, const StopRule& stop);

/// A head mask with the name that results carry, e.g. "srh:10".
struct NamedMask {
  std::string name;
  HeadMask mask;
};

struct Variant {
  const Method* method = nullptr;
  const Budget* budget = nullptr;  ///< null for the full cache
  Visibility visibility = Visibility::aware;
  const NamedMask* mask = nullptr;  ///< null: no head is silenced

  /// What the others are compared with.
  bool is_reference() const { return method->is_full() && mask == nullptr; }
};

/// Entries that a variant keeps per layer and KV head on average; all for the full cache.
int64_t budget_tokens(const Variant& variant, int64_t prompt_tokens, const Model& model);

/// @param where  for messages: "task .., sample .."
/// @throws Error{config} the variant is to see a question that its method cannot
///         Error{input}  prompt and new tokens are longer than the model
void require_room(const Variant& variant, const PromptTokens& prompt, int64_t new_tokens,
                  const ModelConfig& model, const std::string& where);

/// How far a variant's distribution is from the full cache's, token by token of a given answer
/// (teacher forcing). NaN where it was not measured.
struct Fidelity {
  static constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  /// Mean over the answer of the full cache, of the rows computed over the compacted cache:
  double kl = kNone;              ///< KL(full || variant), nats
  double top1_agreement = kNone;  ///< share of rows with the same most likely token
  /// Mean negative log-likelihood of a token, nats: of the first reference, of the full cache's
  /// answer.
  double answer_nll = kNone, full_answer_nll = kNone;
};

/// Called with what each variant kept: (sample, variant, compression).
using KeepSink = std::function<void(const Sample&, const Variant&, const Compression&)>;

struct EngineOptions {
  uint64_t seed = 0;
  bool measures_fidelity = true;
  /// False: only the full cache answers, for what the others are compared with; their predictions
  /// are empty and their scores NaN.
  bool generates = true;
  /// Caches of variants that are held at once, in bytes; more are run in several batches with the
  /// same results. At least one variant is always run.
  int64_t variant_bytes = std::numeric_limits<int64_t>::max();
};

class Context;

class Engine {
 public:
  Engine(const Model& model, const Tokenizer& tokenizer, const ChatFormat& chat, ProfileFacts facts,
         const EngineOptions& options);
  ~Engine();

  /// Runs all variants on one sample. What was prefilled for the sample before is used again as far
  /// as the prompts are the same; that changes no result.
  /// @return one record per variant, in their order
  std::vector<SampleRecord> run(const std::string& task, const Sample& sample,
                                std::span<const Variant> variants, const KeepSink& keep_sink = {});

 private:
  Context& prepare(const std::string& task, const Sample& sample, const PromptTokens& prompt,
                   std::span<const Variant> variants);

  PromptReader reader_;
  ProfileFacts facts_;
  EngineOptions options_;
  std::unique_ptr<Context> context_;  ///< the last one; the next question may be about it
};

}  // namespace kvcal
