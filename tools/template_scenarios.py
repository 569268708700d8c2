"""The conversations that tools/template_diff.py renders every template with."""

import copy

SYSTEM = {"role": "system", "content": "You are terse.\nBe kind."}
USER = {"role": "user", "content": " What's the weather in Zürich? <b>&</b> "}
ANSWER = {"role": "assistant", "content": "Sunny, 20 °C."}
AGAIN = {"role": "user", "content": "And in 北京?"}
PARAMETERS = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "description": "A city's name"},
        "days": {"type": "integer", "default": 3},
        "unit": {"type": "string", "enum": ["C", "F"]},
        "where": {"type": "array", "items": {"type": "number"}},
        "more": {"type": "object", "properties": {"deep": {"type": ["string", "null"]}}},
    },
    "required": ["city"],
}
TOOLS = [
    {"type": "function",
     "function": {"name": "get_weather", "description": "The weather \"now\" & later", "parameters": PARAMETERS}},
    {"type": "function",
     "function": {"name": "get_time", "description": "The time", "parameters": {"type": "object", "properties": {}}}},
]
ARGUMENTS = {"city": "Zürich", "days": 2, "raw": True, "nothing": None, "list": [1, 2.5, "x"]}


def call(arguments, name="get_weather", identity="abcdefghi"):
    return {"id": identity, "type": "function", "function": {"name": name, "arguments": arguments}}


def result(content="20 degrees", identity="abcdefghi"):
    return {"role": "tool", "name": "get_weather", "tool_call_id": identity, "content": content}


def contexts():
    """(name, context) of each conversation; a context is a template's variables."""
    with_call = {"role": "assistant", "content": "", "tool_calls": [call(ARGUMENTS)]}
    none_call = {"role": "assistant", "content": None, "tool_calls": [call(ARGUMENTS)]}
    two_calls = {"role": "assistant", "content": "Let me look.",
                 "tool_calls": [call(ARGUMENTS), call({}, "get_time", "bcdefghij")]}
    string_call = {"role": "assistant", "content": "", "tool_calls": [call('{"city": "Zürich"}')]}
    bare_call = {"role": "assistant", "tool_calls": [call(ARGUMENTS)]}
    thought = {"role": "assistant", "reasoning_content": "The user asks.\nI think.", "content": "It is sunny."}
    inline = {"role": "assistant", "content": "<think>\nHmm, 2 < 3.\n</think>\n\nIt is sunny."}
    parts = {"role": "user", "content": [{"type": "text", "text": "Look:"}, {"type": "text", "text": " at this"}]}
    image = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What is it?"}]}
    conversations = {
        "plain": [USER],
        "system": [SYSTEM, USER],
        "multi-turn": [USER, ANSWER, AGAIN],
        "system and multi-turn": [SYSTEM, USER, ANSWER, AGAIN, ANSWER],
        "tool call": [USER, with_call, result()],
        "tool call and answer": [SYSTEM, USER, with_call, result(), ANSWER, AGAIN],
        "tool call, content none": [USER, none_call, result()],
        "tool call, no content": [USER, bare_call, result()],
        "tool call, arguments a string": [USER, string_call, result()],
        "two calls": [USER, two_calls, result(), result("12:00", "bcdefghij"), ANSWER],
        "tool result an object": [USER, with_call, result({"degrees": 20, "sky": "clear"})],
        "reasoning": [USER, thought, AGAIN],
        "reasoning inline": [USER, inline, AGAIN, thought],
        "parts": [parts, ANSWER, USER],
        "image": [image],
        "system parts": [{"role": "system", "content": [{"type": "text", "text": "Be brief."}]}, USER],
        "no user": [ANSWER],
        "two users": [USER, AGAIN],
        "two assistants": [USER, ANSWER, ANSWER],
        "system last": [USER, SYSTEM],
        "developer": [{"role": "developer", "content": "Short."}, USER],
        "unknown role": [{"role": "critic", "content": "Hm."}, USER],
        "missing role": [{"content": "Hi"}],
        "missing content": [{"role": "user"}],
        "empty content": [{"role": "user", "content": ""}],
        "content none": [{"role": "user", "content": None}],
        "no messages": [],
        "assistant last": [USER, {"role": "assistant", "content": "It is "}],
    }
    for name, messages in conversations.items():
        for prompt in (True, False):
            base = {"messages": copy.deepcopy(messages), "add_generation_prompt": prompt, "bos_token": "<s>",
                    "eos_token": "</s>"}
            yield f"{name}, prompt {prompt}", base
            yield f"{name}, prompt {prompt}, tools", {**base, "tools": TOOLS}
    base = {"messages": [SYSTEM, USER, thought, AGAIN], "add_generation_prompt": True, "bos_token": "<s>",
            "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    yield "thinking off", {**base, "enable_thinking": False}
    yield "thinking on", {**base, "enable_thinking": True, "tools": TOOLS}
    yield "reasoning effort", {**base, "reasoning_effort": "high", "model_identity": "You are Bob."}
    yield "documents", {**base, "documents": [{"title": "One", "text": "First."}, {"title": "Two", "text": "Second."}]}
    yield "tools none", {**base, "tools": None, "documents": None}
    yield "date and options", {**base, "date_string": "1 Jan 2026", "tools_in_user_message": False, "tools": TOOLS,
                               "builtin_tools": ["code_interpreter", "brave_search"]}
    yield "nothing", {}
