"""Control tokens of chat templates: which texts hold them, and that broken ones are none any more."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_gc.language.control_tokens import broken, masked_tokens, starts, tokens_in

_TOKENS = """
<|im_start|> <|im_end|> <|im_sep|> <|endoftext|> <|begin_of_text|> <|start_header_id|> <|eot_id|> <|eom_id|>
<|reserved_special_token_247|> [INST] [/INST] <<SYS>> <</SYS>> <s> </s> <unk> <pad> [TOOL_CALLS] [AVAILABLE_TOOLS]
[/AVAILABLE_TOOLS] [TOOL_RESULTS] [/TOOL_RESULTS] [SYSTEM_PROMPT] [/SYSTEM_PROMPT] [THINK] [/THINK] [IMG] [img-0]
<bos> <eos> <start_of_turn> <end_of_turn> <start_of_image> <unused99> <|turn> <turn|> <|channel> <channel|> <|"|>
<|tool_call> <tool_call|> <|think|> <|user|> <|assistant|> <|system|> <|end|> <｜User｜> <｜Assistant｜>
<｜begin▁of▁sentence｜> <｜end▁of▁sentence｜> <｜tool▁calls▁begin｜> <｜fim▁hole｜> <|channel|> <|message|> <|start|>
<|return|> <|call|> <|START_OF_TURN_TOKEN|> <|CHATBOT_TOKEN|> <BOS_TOKEN> <EOS_TOKEN> <|start_of_role|>
<|end_of_role|> [gMASK] <sop> <eop> <|observation|> <|im_user|> <|im_middle|> <|tool_calls_section_begin|> [BOS] [EOS]
[|system|] [|user|] [|assistant|] [|endofturn|] <eoh> <eoa> <reserved_106> <extra_id_0> <SPECIAL_12> <seed:bos>
<seed:think> </seed:think> ]~b] ]~!b[ [e~[ <beginning_of_sentence> <think> </think> <tool_call> </tool_call>
<tool_response> <|fim_prefix|> <fim_prefix> <fim-middle> <repo_name> <reponame> <file_sep> <filename> <gh_stars>
<issue_start> <jupyter_output> <empty_output> <PRE> <EOT> <|/think|> <|hy_User|> <__media__> <end_of_utterance>
"""
TOKENS = _TOKENS.split()
"""Of ChatML, Llama, Mistral, Gemma, Phi, DeepSeek, Harmony, Command R, Granite, GLM, Kimi, EXAONE, Seed, MiniMax …"""

TEXTS = [
    "1 < 2 and [this] is |> text <| here",
    "let y = x |> f |> g",
    "p <|> q",
    "[|1; 2|]",
    "<b>bold</b> and <div class='s'>",
    "Vec<T>, if a<s and b>c",
    "[NAME], [x], [INSTALL], <name>",
    "USER: hi ASSISTANT: hello",
    "<|im start|>",
    "< |im_start|>",
    "[ INST]",
    "",
]


@pytest.mark.parametrize("token", TOKENS)
def test_a_control_token_is_found_and_broken(token: str) -> None:
    """It is found wherever it is, and one space makes plain text of it."""
    assert tokens_in(token) == tokens_in(f"a{token}b{token}") == [token]
    assert broken(f"a{token}b") == f"a{token[0]} {token[1:]}b"
    assert starts(broken(token)) == []


@pytest.mark.parametrize("text", TEXTS)
def test_other_texts_stay_as_they_are(text: str) -> None:
    """What only looks a little like one, in code and in prose, is not touched."""
    assert tokens_in(text) == []
    assert broken(text) == text


PIECES = st.one_of(
    st.sampled_from([*TOKENS, *TEXTS]),
    st.sampled_from(["<", "|", ">", "[", "]", "/", "~", "｜", "_", "a", "s", '"', "!", "[INST", "<|a", "a|>", "<s"]),
    st.text(max_size=4),
)


@given(st.lists(PIECES, max_size=12).map("".join))
def test_no_token_is_left_in_what_was_broken(text: str) -> None:
    """Whatever is nested or overlaps: nothing is left, twice is once, and taking the spaces out gives the text."""
    made, places = broken(text), starts(text)
    assert starts(made) == []
    assert broken(made) == made
    assert len(made) == len(text) + len(places)
    spaced = [at + 1 + number for number, at in enumerate(places)]
    assert all(made[at] == " " for at in spaced)
    assert "".join(character for at, character in enumerate(made) if at not in spaced) == text


@given(st.lists(PIECES, max_size=6), st.lists(PIECES, max_size=6))
def test_what_is_broken_stays_so_beside_other_texts(one: list[str], other: list[str]) -> None:
    """Broken texts make no token together where something blank is between them, and a text only grows at its end."""
    first, second = "".join(one), "".join(other)
    assert starts(f"{broken(first)}\n\n{broken(second)}") == []
    assert broken(f"{first}\n\n{second}") == f"{broken(first)}\n\n{broken(second)}"


def test_a_token_that_is_literal_is_left() -> None:
    """The others are broken all the same."""
    assert broken("<s>a</s><s>", {0}) == "<s>a< /s>< s>"


def test_a_mask_is_as_long_as_its_token() -> None:
    """So places in the masked text are places in the text."""
    assert masked_tokens("a<s>b</s>") == "a\0\0\0b\0\0\0\0"
