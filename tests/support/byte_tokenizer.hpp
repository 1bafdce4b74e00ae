// SPDX-License-Identifier: Apache-2.0
// A tokenizer a person can count with: each byte of the text is one token.
#pragma once

#include "kvcal/profile/tokenizer.hpp"

namespace kvcal::test {

/// Id of a byte = its value; <s> = 256.
/// @param has_bos  encode() puts <s> in front
Tokenizer byte_tokenizer(bool has_bos = false);

}  // namespace kvcal::test
