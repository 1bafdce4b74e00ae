// SPDX-License-Identifier: Apache-2.0
#include "model/family.hpp"

namespace kvcal {
namespace {

/// Llama 2, 3, 3.1 to 3.3, SmolLM2, and others that publish themselves as Llama.
/// Checked  parity/model: tiny_llama, tiny_llama31, tiny_biases, smollm2.
void read(const ConfigSection& file, ModelSpec& spec) {
  spec.has_qkv_bias = spec.has_output_bias = file.flag("attention_bias");
  spec.has_mlp_bias = file.flag("mlp_bias");
}

}  // namespace

extern const FamilyInfo family_llama = {"LlamaForCausalLM", read};

}  // namespace kvcal
