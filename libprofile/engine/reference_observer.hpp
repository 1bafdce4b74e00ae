// SPDX-License-Identifier: Apache-2.0
// Draws reference queries (Attention Matching) from all that is fed while it watches, and lets
// several observers watch one pass.
#pragma once

#include <vector>

#include "kvcal/compress/layer_view.hpp"
#include "kvcal/profile/model.hpp"

namespace kvcal {

class ReferenceObserver : public LayerObserver {
 public:
  /// @param source      the sample of each layer's statistics that grows
  /// @param statistics  [layers]
  ReferenceObserver(ReferenceQueries LayerStatistics::*source, int64_t count,
                    std::vector<LayerStatistics>& statistics);

  void after_attention(const AttentionStep& step) override;

 private:
  ReferenceQueries LayerStatistics::*source_;
  int64_t count_;
  std::vector<LayerStatistics>& statistics_;
  std::vector<int64_t> seen_;  // [layers] tokens so far
};

class ObserverList : public LayerObserver {
 public:
  void add(LayerObserver& observer) { observers_.push_back(&observer); }
  void after_attention(const AttentionStep& step) override {
    for (auto* observer : observers_) observer->after_attention(step);
  }

 private:
  std::vector<LayerObserver*> observers_;
};

}  // namespace kvcal
