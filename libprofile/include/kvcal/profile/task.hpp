// SPDX-License-Identifier: Apache-2.0
// Task: a source of samples (prompt, references, metric). One file each in tasks/, found by the
// build.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kvcal/compress/params.hpp"
#include "kvcal/profile/chat_format.hpp"
#include "kvcal/profile/tokenizer.hpp"

namespace kvcal {

/// One question. The text given to the model is context + question, wrapped in the chat format, and
/// then the answer_prefix.
struct Sample {
  std::string id;        ///< unique within the task
  std::string document;  ///< samples with the same non-empty value share their context
  std::string context;
  std::string question;       ///< with everything that follows the context
  std::string answer_prefix;  ///< begins the reply: stands behind the chat format, if there is one
  std::vector<std::string> references;
  std::vector<std::string> all_classes;
  std::string metric;
  int64_t max_new_tokens = 64;
  /// Tokens that end the reply; empty: those of the model.
  std::vector<int64_t> stop_ids;
  int64_t min_new_tokens = 0;      ///< no stop token is taken before so many others
  bool scores_first_line = false;  ///< of the reply, after leading newlines
  bool chat = true;
  /// NIAH, RULER-like: nominal tokens; LongBench: words of the whole sample; else 0.
  double length = 0;
  double depth = -1;  ///< NIAH: 0..1; else -1
};

/// What a task may use. Lives longer than the task.
struct TaskContext {
  const Tokenizer& tokenizer;
  const ChatFormat& chat;
  int64_t max_tokens;  ///< of the model
  uint64_t seed = 0;
};

/// Samples are made on demand: a grid of long contexts is never held whole.
class Task {
 public:
  virtual ~Task() = default;
  virtual int64_t size() const = 0;
  /// Deterministic: same index, same sample.
  virtual Sample sample(int64_t index) const = 0;
};

/// Where the data of a task lies, which the user brings.
struct DataPlace {
  bool is_found;
  std::string text;  ///< the folder, or what is missing
};

struct TaskInfo {
  std::string_view name;
  std::string_view summary;
  /// @param argument  what stands behind the colon of `jsonl:FILE`, else empty
  std::unique_ptr<Task> (*make)(const TaskContext& context, const std::string& argument,
                                const ParamMap& params);
  std::vector<FieldInfo> (*fields)();
  /// Looks for the data without reading it; null where there is nothing to look for.
  DataPlace (*locate)(const std::string& argument, const ParamMap& params) = nullptr;
};

std::span<const TaskInfo* const> task_table();

/// A task that configs/tasks names.
struct KnownTask {
  std::string name;  ///< as `open_task` takes it
  std::string summary;
  std::optional<DataPlace> data;  ///< nothing: all it needs came with the programs
};

/// Sorted by name; whether the data is found is asked with `overrides`, as far as a task has them.
std::vector<KnownTask> known_tasks(const ParamMap& overrides = {});

/// Opens a YAML of configs/tasks ("niah"; "longbench:qasper" is longbench/qasper.yaml), a YAML of
/// the user's own (a path), or a registered task as it is ("jsonl:FILE").
/// @param overrides  flags; replace the YAML's params of the same name
/// @throws Error{config} unknown task or param; Error{input} empty or malformed dataset, file:line
std::unique_ptr<Task> open_task(std::string_view spec, const TaskContext& context,
                                const ParamMap& overrides = {});

}  // namespace kvcal
