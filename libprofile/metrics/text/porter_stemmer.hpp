// SPDX-License-Identifier: Apache-2.0
// Porter's stemmer with NLTK's extensions, the one behind Google's rouge_score.
#pragma once

#include <string>

namespace kvcal::text {

/// @param word  lower-case ASCII letters and digits
std::string porter_stem(const std::string& word);

}  // namespace kvcal::text
