// SPDX-License-Identifier: Apache-2.0
// What configs/tasks/longbench says of a dataset: the facts that LongBench's own files do not hold.
#pragma once

#include <filesystem>
#include <string>

#include "kvcal/compress/params.hpp"

namespace kvcal {

struct LongbenchParams {
  std::string root;
  std::string metric;
  std::string category = "single_document_qa";
  std::string language = "en";
  bool is_extended = false;
  bool is_of_sixteen = false;
  bool chat = true;
  bool scores_first_line = false;
  bool stops_at_newline = false;
  int64_t max_length = 0;
  std::string max_length_of;

  template <class Visitor>
  void visit(Visitor& v) {
    v.field("root", root, any(),
            "LongBench's folder with config/ and data/; empty: $KVCAL_BENCHMARKS/longbench, else "
            "data/longbench");
    v.field("metric", metric, any(), "name of a metric");
    v.field("category", category,
            one_of({"single_document_qa", "multi_document_qa", "summarization", "few_shot",
                    "synthetic", "code"}),
            "group of LongBench's averages");
    v.field("language", language, one_of({"en", "zh", "code"}),
            "whose average it counts in; code counts in both");
    v.field("is_extended", is_extended, any(), "LongBench-E: <dataset>_e.jsonl, scores by length");
    v.field("is_of_sixteen", is_of_sixteen, any(),
            "in the mean of 16 that CompressKV, KVCache-Factory and kvpress report");
    v.field("chat", chat, any(), "wrap in the model's chat format");
    v.field("scores_first_line", scores_first_line, any(), "only the reply's first line counts");
    v.field("stops_at_newline", stops_at_newline, any(),
            "the reply ends at EOS or a newline, and has at least one token");
    v.field("max_length", max_length, at_least(0),
            "tokens beyond which the middle of a prompt is cut out; 0: what the model can take");
    v.field("max_length_of", max_length_of, any(),
            "instead, a model of config/model2maxlen.json, whose limit is taken");
  }
};

/// Where the data of a dataset lies in LongBench's layout.
struct LongbenchFiles {
  std::filesystem::path folder, prompts, lengths, limits, samples;

  LongbenchFiles(const LongbenchParams& params, const std::string& dataset);
};

}  // namespace kvcal
