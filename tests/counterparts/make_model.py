"""Writes a language model whose weights are a table: which token follows which. `make_model.py OUT [--noise]`

Runs in the counterparts' environment. A real transformer file (GGUF, a few MB) that a real llama.cpp server loads:

- The embedding is one-hot and the only block is all zeros, so what reaches the output matrix is the last token alone,
  scaled to length sqrt(WIDTH) by the norm. Column t of that matrix is then a free choice of logits after token t.
- The chat template ends a prompt in a newline when tools are offered and none has answered yet. After a newline the
  table says `<tool_call>`, and the server's grammar leads the rest to a valid call of an offered tool. Otherwise the
  prompt ends in `<|say|>`, which starts a fixed sentence. An agent's run thus takes two requests, every time.
- Within a call: a name that starts with "l" if there is one, "." for a free string, as few arguments as are allowed.

`--noise` writes a hostile peer instead: random logits in favour of raw bytes, so mostly broken UTF-8, without an end.
"""

from __future__ import annotations

import string
import sys
from pathlib import Path

import gguf
import numpy as np

WIDTH, HEAD, HIDDEN, CONTEXT = 384, 32, 32, 32768  # one small attention head: long prompts stay quick
SPACE = "\u2581"  # how the tokenizer writes a space
UNKNOWN, BEGIN, PAD = "<unk>", "<s>", "</s>"
TURN, END, CALL, CALLED, SAY = "<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>", "<|say|>"
NEWLINE = "<0x0A>"
SENTENCE = [f"{SPACE}{word}" for word in ("done", "all", "good", "tests", "pass")] + ["."]

TEMPLATE = """
{%- macro turn(role, text) %}{{ '<|im_start|>' + role + '\\n' + text + '<|im_end|>\\n' }}{% endmacro -%}
{%- if tools %}
  {{- '<|im_start|>system\\n' }}
  {%- if messages[0].role == 'system' %}{{ messages[0].content + '\\n' }}{% endif %}
  {{- 'Answer with <tool_call>{"name": ..., "arguments": ...}</tool_call> to call one of these tools:\\n' }}
  {%- for tool in tools %}{{ tool | tojson + '\\n' }}{% endfor %}
  {{- '<|im_end|>\\n' }}
{%- elif messages[0].role == 'system' %}
  {{- turn('system', messages[0].content) }}
{%- endif %}
{%- for message in messages %}
  {%- if message.role == 'assistant' %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if message.content %}{{ message.content }}{% endif %}
    {%- for call in message.tool_calls %}
      {%- if call.function %}{% set call = call.function %}{% endif %}
      {{- '<tool_call>\\n{"name": "' + call.name + '", "arguments": ' + call.arguments | tojson + '}\\n</tool_call>' }}
    {%- endfor %}
    {{- '<|im_end|>\\n' }}
  {%- elif message.role == 'tool' %}
    {{- turn('user', '<tool_response>\\n' + message.content + '\\n</tool_response>') }}
  {%- elif message.role == 'user' or not loop.first %}
    {{- turn(message.role, message.content) }}
  {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
  {{- '<|im_start|>assistant\\n' if tools and messages[-1].role != 'tool' else '<|im_start|>assistant<|say|>' }}
{%- endif %}
"""


def vocabulary() -> dict[str, int]:
    """Token -> its kind in the file's numbering (gguf.TokenType)."""
    kind = gguf.TokenType
    tokens = {UNKNOWN: kind.UNKNOWN, BEGIN: kind.CONTROL, PAD: kind.CONTROL}
    tokens |= {f"<0x{byte:02X}>": kind.BYTE for byte in range(256)}
    tokens |= {chr(code): kind.NORMAL for code in range(33, 127)} | {SPACE: kind.NORMAL}
    tokens |= {TURN: kind.CONTROL, END: kind.CONTROL, SAY: kind.CONTROL}
    tokens |= {CALL: kind.USER_DEFINED, CALLED: kind.USER_DEFINED}  # these are part of the text a client sees
    tokens |= {word: kind.NORMAL for word in SENTENCE[:-1]}
    return {token: int(value) for token, value in tokens.items()}


def agent(ids: dict[str, int]) -> np.ndarray:
    """Logits [next, last] of a model that calls a tool when it may, and otherwise says its sentence."""
    table = np.full((len(ids), len(ids)), -4.0, np.float32)
    byte_tokens = [ids[f"<0x{byte:02X}>"] for byte in range(256)]
    table[byte_tokens] = -30
    table[[ids[token] for token in (UNKNOWN, BEGIN, PAD, TURN, SAY, CALL, END)]] = -60
    table[[ids[word] for word in SENTENCE[:-1]]] = -60
    for letter in string.ascii_lowercase:
        table[ids[letter]] = 2
    for digit in string.digits:
        table[ids[digit]] = 1
    for sign, logit in {'"': 4.0, "}": 3.5, "]": 3.2, ",": 3.0, SPACE: -8.0, NEWLINE: -9.0}.items():
        table[ids[sign]] = logit
    for before, after, logit in [
        ('"', "l", 4.5), ('"', ".", 5.0), (".", '"', 39.0), ("{", "}", 5.0), ("}", ",", -2.0),
        (NEWLINE, CALL, 60.0), (CALL, NEWLINE, 30.0), ("}", CALLED, 9.0), (CALLED, END, 40.0), (".", END, 40.0),
        *((a, b, 40.0) for a, b in zip([SAY, *SENTENCE], SENTENCE, strict=False)),
    ]:  # fmt: skip
        table[ids[after], ids[before]] = logit
    return table


def noise(ids: dict[str, int]) -> np.ndarray:
    table = np.random.default_rng(7).normal(0, 3, (len(ids), len(ids))).astype(np.float32)
    table[[ids[f"<0x{byte:02X}>"] for byte in range(128, 256)]] += 6
    table[[ids[token] for token in (UNKNOWN, BEGIN, PAD, TURN, END, SAY)]] = -200
    return table


def write(path: Path, table: np.ndarray, tokens: dict[str, int]) -> None:
    file = gguf.GGUFWriter(path, "llama")
    file.add_name("table")
    file.add_context_length(CONTEXT)
    file.add_embedding_length(WIDTH)
    file.add_block_count(1)
    file.add_feed_forward_length(HIDDEN)
    file.add_head_count(1)
    file.add_head_count_kv(1)
    file.add_key_length(HEAD)
    file.add_value_length(HEAD)
    file.add_layer_norm_rms_eps(1e-6)
    file.add_rope_dimension_count(HEAD)
    file.add_vocab_size(len(tokens))
    file.add_file_type(0)
    file.add_tokenizer_model("llama")
    file.add_tokenizer_pre("default")
    file.add_token_list(list(tokens))
    file.add_token_scores([0.0] * len(tokens))
    file.add_token_types(list(tokens.values()))
    order = list(tokens)
    file.add_bos_token_id(order.index(BEGIN))
    file.add_eos_token_id(order.index(END))
    file.add_unk_token_id(order.index(UNKNOWN))
    file.add_add_space_prefix(False)
    file.add_chat_template(TEMPLATE.strip())
    for name, tensor in tensors(table).items():
        file.add_tensor(f"{name}.weight", tensor)
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()


def tensors(table: np.ndarray) -> dict[str, np.ndarray]:
    def zeros(*shape: int) -> np.ndarray:
        return np.zeros(shape, np.float32)

    return {
        "token_embd": np.eye(len(table), WIDTH, dtype=np.float32),
        "output_norm": np.ones(WIDTH, np.float32),
        "output": np.pad(table, ((0, 0), (0, WIDTH - len(table)))) / np.float32(np.sqrt(WIDTH)),
        **{f"blk.0.attn_{part}": zeros(HEAD, WIDTH) for part in "qkv"},
        "blk.0.attn_output": zeros(WIDTH, HEAD),
        "blk.0.ffn_gate": zeros(HIDDEN, WIDTH),
        "blk.0.ffn_up": zeros(HIDDEN, WIDTH),
        "blk.0.ffn_down": zeros(WIDTH, HIDDEN),
        "blk.0.attn_norm": np.ones(WIDTH, np.float32),
        "blk.0.ffn_norm": np.ones(WIDTH, np.float32),
    }


def main() -> None:
    tokens = vocabulary()
    ids = {token: index for index, token in enumerate(tokens)}
    write(Path(sys.argv[1]), noise(ids) if "--noise" in sys.argv else agent(ids), tokens)


if __name__ == "__main__":
    main()
