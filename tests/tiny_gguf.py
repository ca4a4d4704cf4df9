"""A tiny random model as a GGUF file, for tests that need a real engine: thousands of tokens of word salad a second.

It is llama's architecture with two layers, some 300 kB, and the same to the byte whenever it is made. Its words are
random, but not arbitrary: it mostly says English words, now and then one by which pipelines stop, and its quotation
marks are likely enough that a structured reply comes to an end.

``python -m tests.tiny_gguf FILE`` writes one.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""The template of most small models: each message between control tokens."""

WORDS = """
a about after again all also and answer any APPROVED are as at be because bird blue book but by can clear cold
come could day do DONE down each end even every first for from get give good great green had hand has have he
her here him his home house how I if in into is it its just keep know large last left letter light like line
little long look made make man many may me mean more most move much must my name near need never new next
night no not now number of off old on one only or other our out over own paper part people place plan point
put question quick read red river right round said same say see set she short should show side small snow so
some soon step still stop such sun take tell than that the their them then there they thing think this three
time to too tree two under up us very walk want warm was water way we well went were what when where which
while white who why will wind with word work world would write year yes yet you young your
"""

SPECIAL = ("<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>")
UNKNOWN, NORMAL, CONTROL, BYTE = 2, 1, 3, 6
"""The kinds of tokens, by GGUF's numbers."""

BIAS = {"<|im_end|>": 1.5, '"': 4.5, "}": 4.0, "]": 3.0, ",": 2.0, ".": 2.0}
"""How much likelier a token is than a word."""

HEADS, KV_HEADS = 4, 2


def write(path: Path, *, window: int = 4096, layers: int = 2, width: int = 64, template: str | None = CHATML) -> Path:
    """Write the model to ``path``: trained for a ``window`` of so many tokens, with a chat ``template`` or without."""
    gguf: Any = import_module("gguf")  # which has no types where it is not installed
    tokens, kinds = _vocabulary()
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_name("Tiny Random")
    writer.add_context_length(window)
    writer.add_embedding_length(width)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(2 * width)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(width // HEADS)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("llama")
    writer.add_token_list([token.encode() for token in tokens])
    writer.add_token_scores([-float(index) for index in range(len(tokens))])
    writer.add_token_types(kinds)
    writer.add_bos_token_id(SPECIAL.index("<s>"))
    writer.add_eos_token_id(SPECIAL.index("<|im_end|>"))
    writer.add_unk_token_id(SPECIAL.index("<unk>"))
    writer.add_add_bos_token(False)
    writer.add_add_space_prefix(False)
    if template is not None:
        writer.add_chat_template(template)
    for name, tensor in _tensors(tokens, kinds, layers, width).items():
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _vocabulary() -> tuple[list[str], list[int]]:
    """Return the tokens and their kinds: control tokens, bytes, printable characters, words."""
    printable = ["▁" if code == 32 else chr(code) for code in range(32, 127)]
    words = [f"▁{word}" for word in WORDS.split() if len(word) > 1]
    tokens = [*SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256)), *printable, *words]
    special = [UNKNOWN, *[CONTROL] * (len(SPECIAL) - 1)]
    return tokens, [*special, *[BYTE] * 256, *[NORMAL] * (len(printable) + len(words))]


def _tensors(tokens: list[str], kinds: list[int], layers: int, width: int) -> dict[str, Any]:
    """Return the weights, drawn from a fixed seed.

    Each token is embedded with the same large first value, which the normalisations carry to the end: so the first
    column of the output works as a bias, for which the architecture has no place of its own.
    """
    np: Any = import_module("numpy")
    rng = np.random.default_rng(20)

    def drawn(rows: int, columns: int, scale: float) -> Any:
        return (rng.standard_normal((rows, columns)) * scale).astype(np.float16)

    embedding, output = drawn(len(tokens), width, 1.0), drawn(len(tokens), width, 0.35)
    embedding[:, 0], output[:, 0] = 4.0, 0.0
    for index, (token, kind) in enumerate(zip(tokens, kinds, strict=True)):
        is_word = token.startswith("▁") and len(token) > 1
        output[index] *= 1.0 if is_word or token in BIAS else 0.1
        output[index, 0] = BIAS.get(token, 2.0 if is_word else -6.0 if kind != NORMAL else 0.0) / 2
    ones = np.ones(width, dtype=np.float32)
    found: dict[str, Any] = {"token_embd.weight": embedding, "output.weight": output, "output_norm.weight": ones}
    head = width // HEADS
    shapes = {
        "attn_q": (width, width), "attn_k": (KV_HEADS * head, width), "attn_v": (KV_HEADS * head, width),
        "attn_output": (width, width), "ffn_gate": (2 * width, width), "ffn_up": (2 * width, width),
        "ffn_down": (width, 2 * width),
    }  # fmt: skip
    for layer in range(layers):
        for name, (rows, columns) in shapes.items():
            found[f"blk.{layer}.{name}.weight"] = drawn(rows, columns, 0.15)
        found[f"blk.{layer}.attn_norm.weight"] = found[f"blk.{layer}.ffn_norm.weight"] = ones
    return found


if __name__ == "__main__":
    write(Path(sys.argv[1]))
