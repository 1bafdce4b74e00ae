// SPDX-License-Identifier: Apache-2.0
// F1 of Chinese answers as LongBench's normalize_zh_answer sees them, apart from their
// segmentation.
#pragma once

#include <string>
#include <vector>

namespace kvcal::text {

/// F1 of jieba's tokens, each lowered and without punctuation and white space; empty ones drop out.
double chinese_answer_f1(const std::vector<std::u32string>& predicted,
                         const std::vector<std::u32string>& wanted);

}  // namespace kvcal::text
