// SPDX-License-Identifier: Apache-2.0
// Method: a YAML entry of configs/methods that names a scorer, an allocator, perhaps a selector and
// a compactor, and their parameters.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kvcal/compress/allocator.hpp"
#include "kvcal/compress/compactor.hpp"
#include "kvcal/compress/scorer.hpp"
#include "kvcal/compress/selector.hpp"

namespace kvcal {

struct Profile;

/// Where the keys of a window end up that was prefilled by itself, at positions from 0 on.
enum class WindowPositions {
  document,  ///< turned to where their tokens stand in the document; it has to fit the model
  window     ///< where they are, those of all windows side by side (arXiv:2212.10947); any length
};

/// The full cache is a method without scorer: nothing is cut.
struct Method {
  std::string name;
  std::string summary;
  std::string paper;
  std::string scorer_name, allocator_name, selector_name, compactor_name;
  /// Name and all values of each part: what a part found out of a prompt is shared by all methods
  /// that have the same one.
  std::string scorer_key, allocator_key, selector_key;
  ParamMap params;
  std::string selection;  ///< takes its parts from this selection of the profile; empty: from YAML
  /// Tokens that are compacted by themselves, one chunk after the other; 0: the whole prompt.
  /// Each layer is matched with queries that saw what was made of the layers before it.
  bool is_on_policy = false;
  int64_t chunk_tokens = 0;
  /// Tokens that are prefilled and compacted by themselves, so that no more are ever held whole;
  /// 0: the whole prompt is prefilled.
  int64_t window_tokens = 0;
  WindowPositions window_positions = WindowPositions::document;
  /// What the model is asked for; its answer is read in place of the context. Empty: nothing.
  std::string rewrite_request;
  std::shared_ptr<const Scorer> scorer;        ///< null: keeps everything
  std::shared_ptr<const Allocator> allocator;  ///< null with scorer
  std::shared_ptr<const Selector> selector;    ///< null with scorer
  std::shared_ptr<const Compactor> compactor;  ///< null with scorer
  /// Parts that were tuned at a budget (kv-tune).
  struct Setting {
    double budget_tokens = 0;
    std::shared_ptr<const Method> method;
  };
  /// In place of the parts above, the smallest budget first; empty: the same parts at all budgets.
  std::vector<Setting> settings;

  /// What compresses a prompt to `budget_tokens`: the setting tuned at the nearest budget (by
  /// ratio; the smaller one of two), or this method where it has none.
  const Method& at(int64_t budget_tokens) const;

  bool is_full() const { return scorer == nullptr && !is_rewrite(); }
  /// Keeps another text, not entries of the prompt.
  bool is_rewrite() const { return !rewrite_request.empty(); }
  bool is_windowed() const { return window_tokens > 0; }
  /// What it makes of a document is held for the next question.
  bool is_costly() const { return is_rewrite() || (scorer && compactor->is_costly()); }
  /// Keeps just the number of entries that was asked for.
  bool is_exact() const;
  /// Bytes of an entry besides its key and value.
  int64_t bias_bytes() const { return scorer && compactor->has_bias() ? 4 : 0; }
  Needs needs() const;           ///< of all settings
  std::string resolved() const;  ///< YAML text of all parameters, defaults included
};

/// @param spec  name in configs/methods, or a path ending in .yaml
/// @throws Error{config} unknown name (lists the known ones and the nearest), key or value, with
/// the place
Method load_method(std::string_view spec);

std::vector<std::string> known_methods();

/// Makes scorer, allocator and selector out of their names and parameters.
/// @throws Error{config} an unknown name, key or value
void make_parts(Method& method);

/// Gives a method with `selection:` the settings that kv-tune chose; other methods stay.
/// @throws Error{config} the profile has no such selection
void take_selection(Method& method, const Profile& profile);

/// A part of a profile, and the program that makes it.
struct MissingFact {
  std::string what, program;
};

/// What the method needs and the profile lacks.
std::vector<MissingFact> missing_facts(const Method& method, const ProfileFacts& facts);

/// @param profile_file  for the message; empty when none was given
/// @throws Error{config} the method needs a part that the profile lacks, and which program makes it
void require_facts(const Method& method, const ProfileFacts& facts, std::string_view profile_file);

}  // namespace kvcal
