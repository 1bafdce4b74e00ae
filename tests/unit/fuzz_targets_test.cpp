// SPDX-License-Identifier: Apache-2.0
// The fuzz targets over a small corpus and its systematic damages: only kvcal::Error may come out,
// and the targets catch that one. The sanitized build sees the rest.
#include "fuzz/fuzz_targets.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace kvcal {
namespace {

using Target = void (*)(std::span<const uint8_t>);

const std::vector<std::string> kTokenizers = {
    R"({"model":{"type":"BPE","vocab":{"H":0,"e":1,"l":2,"o":3,"ll":4,"Ġ":5,"ell":6},"merges":["l l",["e","ll"]]},"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":true},{"type":"Split","pattern":{"Regex":"\\s+(?!\\S)|\\p{L}+"},"behavior":"MergedWithNext","invert":false},{"type":"ByteLevel","add_prefix_space":true}]},"decoder":{"type":"ByteLevel"},"added_tokens":[{"id":7,"content":"<e>","special":true,"lstrip":true,"rstrip":true,"single_word":true,"normalized":true}]})",
    R"({"normalizer":{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"}]},"model":{"type":"BPE","unk_token":"u","fuse_unk":true,"byte_fallback":true,"vocab":{"u":0,"▁":1,"o":2,"<0x0A>":3,"▁o":4},"merges":["▁ o"]},"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"u"}},{"Sequence":{"id":"A"}}],"special_tokens":{"u":{"ids":[0]}}},"decoder":{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"Regex":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":1},{"type":"Metaspace","replacement":"▁"}]}})"};

const std::vector<std::string> kYamls = {
    "name: a\nsummary: \"b\\n\"\nparams:\n  x: 1\n  y: [1, 2.5]\n  z: .inf\n",
    "include: map.yaml\nname: |\n  x\n  y\n", "a: &a [1]\nb: *a\nparams: {x: !!str 1, y: ~}\n",
    "? {a: b}\n: c\n---\nd: e\n", "\xEF\xBB\xBFname: \x01\xFF\n"};

/// One of each format, for 2 layers, 4 heads, 2 KV heads.
const std::vector<std::string> kForeign = {
    R"({"0":[3,1,0,2],"1":[0,1,2,3]})",
    R"({"niah":[0.5,0.5],"avg_score":[0.25,0.75]})",
    R"({"0-0":[1,0],"0-1":[0,1e-3],"0-2":[0,0],"0-3":[2,2],"1-0":[0,0],"1-1":[3,0],"1-2":[0,0],"1-3":[0,1]})",
    "1.0\t0.25\n-0.0\t5e-1\n",
    "[[[0.1,0.2],[0.3,0.4]],[[0.5,1],[0,0.9]]]",
    R"({"L0H0":0.4,"L0H1":0.3,"L1H0":0.2,"L1H1":0.1})",
    std::string("\x93NUMPY\x01\x00\x3e\x00", 10) +
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 2), }" + std::string(16, '\0')};

/// One small file of each benchmark.
const std::vector<std::string> kBenchmarks = {
    R"({"index":0,"input":"Text. Answer the question based on it. Question: Q? Answer:","outputs":["a","b"],"length":9})",
    R"({"article_id":"1","article":" Text. ","questions":[{"question_unique_id":"q","question":"Q?","options":["a","b","c","d"],"gold_label":4,"difficult":1}]})",
    R"({"c":"x","patient_01":{"texts":{"text_0":"a","text_10":"b"},"name":"N","birthday":"B","diagnosis":"D","questions":[{"No":0,"question":"Q?","answer_a":"1","answer_b":"2","answer_c":"3","answer_d":"4","answer_e":"5","correct":" 5 "}]}})"};
const std::vector<std::string> kGates = {"kl(compresskv@3%:jsonl:a b) <= 0.5 * kl(full) + 1e-3",
                                         "my-m.v2@8MiB:niah>=-0.97", "snapkv@64:niah > full - .5"};

const std::vector<std::string> kTexts = {
    "Hello wo\u0301rld's 123,456\r\n\t  <|im_start|>user\n "
    "\u4e2d\u6587\u3000\U0001f468\u200d\U0001f469 \u1e9b\u0323",
    "<s>[INST] \u2581x[/INST]</s><|eot_id|><|begin_of_text|> "
    "\u00a0\u00ad\u0130\ufb01\uac00\u1100\u1161",
    std::string("\xF0\x9F\x98 \xC3\x28 \xED\xA0\x80 \0 \xFE\xFF", 15)};

void run(Target target, const std::string& input) {
  EXPECT_NO_THROW(target({reinterpret_cast<const uint8_t*>(input.data()), input.size()})) << input;
}

/// Cuts, and seeded changes of single bytes.
void run_damaged(Target target, const std::vector<std::string>& corpus, int changes = 300) {
  std::mt19937 random(1);
  for (const std::string& input : corpus) {
    for (size_t size = 0; size <= input.size(); size += 1 + input.size() / 100) {
      run(target, input.substr(0, size));
    }
    for (int i = 0; i < changes; ++i) {
      std::string damaged = input;
      const size_t at = random() % damaged.size();
      switch (random() % 3) {
        case 0:
          damaged[at] = static_cast<char>(random());
          break;
        case 1:
          damaged.erase(at, 1 + random() % 20);
          break;
        default:
          damaged.insert(at, damaged.substr(random() % damaged.size(), random() % 30));
      }
      run(target, damaged);
    }
  }
}

TEST(FuzzTargets, DamagedTokenizersEndInAnErrorOrWork) {
  run_damaged(&fuzz::tokenizer_json, kTokenizers);
  std::string nested;
  for (int i = 0; i < 2000; ++i) nested += R"({"type":"Sequence","normalizers":[)";
  run(&fuzz::tokenizer_json, R"({"normalizer":)" + nested);
  for (int i = 0; i < 2000; ++i) nested += "]}";
  run(&fuzz::tokenizer_json, R"({"normalizer":)" + nested + "}");
}

TEST(FuzzTargets, AnyBytesAreTextForATokenizer) {
  run_damaged(&fuzz::tokenizer_text, kTexts, 150);
  for (const char* unit : {" ", "\u2581", "\n", "\xFF", "a", "\u0301", "<|im_start|>"}) {
    std::string text;
    for (int i = 0; i < 2000; ++i) text += unit;
    run(&fuzz::tokenizer_text, text);
  }
}

TEST(FuzzTargets, DamagedYamlEndsInAnErrorOrWorks) {
  run_damaged(&fuzz::yaml_map, kYamls);
  run(&fuzz::yaml_map, std::string(2000, '['));
  run(&fuzz::yaml_map, std::string(2000, '{'));
}

TEST(FuzzTargets, DamagedFilesOfOtherProjectsEndInAnErrorOrAreImported) {
  run_damaged(&fuzz::exchange, kForeign, 100);  // what is taken is saved: slower than the others
  run(&fuzz::exchange, std::string(2000, '['));
}

TEST(FuzzTargets, DamagedBenchmarkFilesEndInAnInputErrorOrAreRead) {
  run_damaged(&fuzz::benchmark_file, kBenchmarks);
  run(&fuzz::benchmark_file, std::string(2000, '['));
}

TEST(FuzzTargets, DamagedGatesEndInAnErrorOrAreUnderstood) {
  run_damaged(&fuzz::gate, kGates);
}

}  // namespace
}  // namespace kvcal
