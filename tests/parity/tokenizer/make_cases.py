#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the tokenizer cases with the `tokenizers` library (checked with 0.22.2).

    make_cases.py --model models/SmolLM2-135M-Instruct [--external ../shared/data]

torture.txt             our own hard texts, one JSON string a line
torture.<name>.jsonl    one line per text: {"ids": with special tokens, "text": decoded, where it differs}
external_digests.json   per tokenizer and file of third-party data: texts, bytes, ids and the sha256 of
                        all ids (little-endian int32) and of the decoded texts; no text is kept
decode_digests.json     sha256 of the decoding of every single id, and of pseudo-random id sequences
"""
import argparse
import hashlib
import json
import pathlib
import struct

import tokenizers

HERE = pathlib.Path(__file__).parent
SPECIALS = ["<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|begin_of_text|>", "<|eot_id|>", "<s>", "</s>",
            "[INST]", "<unk>", "<0x0A>"]


def torture_texts():
    texts = ["", " ", "a", "Hello, world!", "  two  spaces  ", "\n", "\r\n", "\r", "\t", "\x00", "a\x00b"]
    texts += ["don't I'll we've they're he'd I'm it's DON'T I'LL WE'VE", "don’t I’ll ‘quoted’ “curly”",
              "'s't're've'm'll'd'S'T'ſ'K''", "'''s ''' '", "rock'n'roll o'clock 'tis"]
    texts += ["line\nline\n\nline\r\n\r\nline \n line\t\n", "trailing   ", "   \n   \n  x", "a \n b\r c\u2028d\u2029e\x85f",
              "\u00a0nbsp\u00a0 \u1680ogham\u180emongolian\u2003em\u200bzero\u202fnarrow\u205f\u3000wide\ufeffbom",
              "\x0b\x0c\x1c\x1d\x1e\x1f", "tab\tseparated\t\tvalues", " " * 40 + "x" + " " * 41, "\n" * 33]
    texts += ["1 12 123 1234 12345 3.14159 1,000,000 0x1F 1e-10", "7" * 200, "½ ⅓ Ⅳ ① ² ৩ ٣ ३ 三 〇 ㊿ 𝟘𝟙",
              "1a2b3c", "v1.2.3-rc4", "10:30–11:45", "\u0661\u0662\u0663 \u0967\u0968"]
    texts += ["café café naïve naïve Å Å Å", "e\u0301\u0323 e\u0323\u0301 \u1ec7 q\u0307\u0323",
              "a" + "\u0301" * 50, "\u0301 starts with a mark", "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘!",
              "\u1100\u1161\u11a8 \uac00\u11a8 \u3131\u314f \u1112\u1161\u11ab\u1100\u1173\u11af 한국어 조선말",
              "\u09c7\u09be \u0b47\u0b56 \u0cc6\u0cc2 \u0dd9\u0dcf \u1025\u102e", "ﬁ ﬂ ﬀ ſ ß ẞ İ ı K Å",
              "\u1ab2\ua82c\u1dc2\u06e4\U00011101 \U00011935\U00011930 \U00011938", "\u0344 \u0958 \u2126 \ufb1d \U0001d15e"]
    texts += ["😀 😃😄 👍🏽 👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪🇫🇷 1️⃣ ❤️ ☺", "👩" + "\u200d👩" * 40, "🤷🏾‍♀️🧑‍🚀🫠🪿"]
    texts += ["עברית שָׁלוֹם עולם", "العربية مَرْحَبًا بالعالم ١٢٣", "\u202eoverride\u202c \u200flrm\u200e \u2066iso\u2069",
              "فارسی می\u200cخواهم", "हिन्दी नमस्ते दुनिया क्षत्रिय", "ไทยไม่มีช่องว่าง", "தமிழ் မြန်မာ ខ្មែរ ລາວ", "Ελληνικά Ἀρχιμήδης ΣΊΣΥΦΟΣ",
              "Русский язык Українська", "ქართული Հայերեն አማርኛ", "中文没有空格。日本語もそうです!한국어는 있다.", "漢字かな交じり文、カタカナ・ﾊﾝｶｸ。ｆｕｌｌ　ｗｉｄｔｈ",
              "𠮷野家 𪚥 𠀀 㐀", "Tiếng Việt thanh điệu ngã nặng hỏi"]
    texts += ["!!! ??? ... --- === *** ### $$$ @@@ ~~~ ```", "#!/usr/bin/env python\ndef f(x):\n    return x**2  # two\n",
              "https://example.org/a/b?c=d&e=f#g", "{\"key\": [1, 2.5, null, true], \"k\\\"2\": \"\\u00e9\\n\"}",
              "<div class=\"a\">&nbsp;</div>", "∀x∈ℝ: ⌈x⌉ = −⌊−x⌋ → ∑ ∫ √ ≠ ≤", "«» „“ ‚‘ ‹› ¿¡ … — –", "a_b__c___d", "C:\\path\\file"]
    for special in SPECIALS:
        texts += [special, "x" + special + "y", " " + special + " ", special * 3, special[:-1], special[1:]]
    texts += ["<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n", "<|im_<|im_start|>start|>"]
    texts += ["a" * 1000, "ab" * 700, "Donaudampfschifffahrtsgesellschaft" * 20, "-" * 300, "!?" * 200, "\u4e2d" * 300,
              "😀" * 100, "\u0300" * 100, " a" * 300, "\n\n a" * 50, ("x" * 63 + " ") * 3, ("y" * 64 + " ") * 3, ("z" * 65 + " ") * 3]
    texts += ["\u0378 \u0530 \u2fe0 \U0001fffe \U000e0001 \U000e0100 \ue000 \U000f0000 \U0010ffff \uffff \ufffd \ufdd0",
              "".join(chr(c) for c in range(1, 0x250)), "".join(chr(c) for c in range(0x2000, 0x2070)),
              "".join(chr(c) + " " for c in range(0x300, 0x370)), "a\U00010d40\U000116d05\U0001ccf0b", "\U00011f02\U0001e4d0\U000105c0c",
              "".join(chr(0x1f000 + 7 * i) for i in range(250))]
    # A fixed shuffle of pieces of the above: pieces meet that no one would write.
    state, parts = 12345, [p for t in texts for p in t.split(" ") if 0 < len(p) < 12]
    for _ in range(120):
        words = []
        for _ in range(25):
            state = (1103515245 * state + 12345) % 2**31
            words.append(parts[(state >> 8) % len(parts)] + ("" if state & 64 else " "))
        texts.append("".join(words))
    return texts


def sha_ids(list_of_ids):
    digest = hashlib.sha256()
    for ids in list_of_ids:
        digest.update(struct.pack(f"<{len(ids)}i", *ids))
    return digest.hexdigest()


def sha_texts(texts):
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode() + b"\x00")
    return digest.hexdigest()


def texts_of(path):
    """Whole text files; every string of JSON lines, in the order of the file and its sorted keys."""
    if path.suffix == ".txt":
        return [path.read_bytes().decode()]
    strings = []
    for line in path.read_bytes().decode().split("\n"):
        if line.strip():
            record = json.loads(line)
            strings += [record[key] for key in sorted(record) if isinstance(record[key], str)]
    return strings


def external_files(root):
    for folder in ("haystack", "compresskv/haystack_for_detect", "longbench/data", "ruler"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".txt", ".jsonl"):
                yield path


def random_sequences(size, count=200):
    state, sequences = 99, []
    for _ in range(count):
        sequence = []
        for _ in range(1 + len(sequences) % 40):
            state = (1103515245 * state + 12345) % 2**31
            sequence.append((state >> 4) % size)
        sequences.append(sequence)
    return sequences


def external_cases(tokenizer, root):
    cases = {}
    for path in external_files(root):
        texts = texts_of(path)
        ids = [tokenizer.encode(text).ids for text in texts]
        decoded = [tokenizer.decode(i, skip_special_tokens=False) for i in ids]
        cases[path.relative_to(root).as_posix()] = {
            "texts": len(texts), "bytes": sum(len(t.encode()) for t in texts), "ids": sum(map(len, ids)),
            "ids_sha256": sha_ids(ids), "decoded_sha256": sha_texts(decoded)}
    return cases


def decode_case(tokenizer):
    size = max(tokenizer.get_vocab(with_added_tokens=True).values()) + 1
    sequences = random_sequences(size)
    return {"vocab_size": size,
            "single_sha256": sha_texts(tokenizer.decode([i], skip_special_tokens=False) for i in range(size)),
            "random_sha256": sha_texts(tokenizer.decode(s, skip_special_tokens=False) for s in sequences),
            "random_skipping_sha256": sha_texts(tokenizer.decode(s) for s in sequences)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--external", type=pathlib.Path)
    arguments = parser.parse_args()
    files = {"smollm2": arguments.model / "tokenizer.json"}
    if arguments.external:
        for name in ("llama3", "qwen", "mistral_v3"):
            files[name] = arguments.external / "tokenizers" / f"{name}.tokenizer.json"
    texts = torture_texts()
    lines = [json.dumps(text) + "\n" for text in texts]
    (HERE / "torture.txt").write_text("".join(lines))
    external, decoding = {}, {}
    for name, path in files.items():
        tokenizer = tokenizers.Tokenizer.from_file(str(path))
        with open(HERE / f"torture.{name}.jsonl", "w") as out:
            for text in texts:
                ids = tokenizer.encode(text).ids
                decoded = tokenizer.decode(ids, skip_special_tokens=False)
                line = {"ids": ids} if decoded == text else {"ids": ids, "text": decoded}
                out.write(json.dumps(line, separators=(",", ":")) + "\n")
        decoding[name] = decode_case(tokenizer)
        if arguments.external:
            external[name] = external_cases(tokenizer, arguments.external)
    versions = {"library": f"tokenizers {tokenizers.__version__}"}
    (HERE / "decode_digests.json").write_text(json.dumps({**versions, **decoding}, indent=1) + "\n")
    if arguments.external:
        (HERE / "external_digests.json").write_text(json.dumps({**versions, **external}, indent=1) + "\n")


if __name__ == "__main__":
    main()
