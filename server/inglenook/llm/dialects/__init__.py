"""How models write tool calls and reasoning in plain text, and how we tell them of tools. Pure.

Dialect "native": tools and calls travel in their own fields of the wire. Dialect "hermes": the system text lists the tools,
calls are `<tool_call>{"name": …, "arguments": {…}}</tool_call>` in the reply, results are `<tool_response>` blocks in the
next user message. Whatever a model was told, it may leak the calls that it was trained on, so every reply is sifted for the
calls of all dialects, each with a parser of its own:

    json_calls   Hermes, Qwen 2.5, Llama 3, Granite, Jamba, Hunyuan, InternLM, Nemotron, Command R, xLAM, bare and fenced JSON
    functions    Qwen3-Coder, Nemotron 3, Step 3.5, Seed-OSS, Functionary, MiniCPM
    invokes      DeepSeek V3.2 and V4, MiniMax M2, Step 3, Claude's XML
    glm          GLM 4.5 to 4.7, Hunyuan 3, Ling 3
    sections     DeepSeek V3 to V3.1, Kimi K2
    mistral      Mistral, old and new
    pythonic     Llama 4, LFM2, Olmo 3, tool_code
    gemma        Gemma 4, FunctionGemma
    reasoning    `<think>` and its like, gpt-oss' channels, leaked tokens
    labelled     ReAct, Qwen-Agent, Functionary 3.2, tags named like a tool

`openers` is the table of what opens which; `tags` finds what may interrupt text; `sifting` goes through a reply as it comes;
`finishing` makes runnable calls.
"""

from inglenook.llm.dialects.finishing import UNREADABLE, fitted
from inglenook.llm.dialects.form import Offered
from inglenook.llm.dialects.sifting import Said, Sifter
from inglenook.llm.dialects.telling import HERMES_HEAD, hermes_messages, native_messages, native_tools, tools_text

__all__ = [
    "HERMES_HEAD",
    "UNREADABLE",
    "Offered",
    "Said",
    "Sifter",
    "fitted",
    "hermes_messages",
    "native_messages",
    "native_tools",
    "tools_text",
]
