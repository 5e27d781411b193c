"""Messages, plain and streamed, with tools and by a schema, and errors through the unmodified `anthropic` package; the first difference ends it with an error."""

import json
import sys

import anthropic

from shared import IMAGE, MAX_TOKENS, PROMPT, ROOM_FOR_JSON, SCHEMA, STREAMED_TOKENS, fits

# The likeliest tokens: the API has it, and newer packages have no argument for it.
COLD = {"temperature": 0}
ASKED = [{"role": "user", "content": PROMPT}]
TOOL = {"name": "tell", "description": "Tells an answer.", "input_schema": SCHEMA}
ONE_CALL = {"type": "any", "disable_parallel_tool_use": True}


def plain(client: anthropic.Anthropic, model: str) -> None:
    raw = client.messages.with_raw_response.create(
        model=model,
        max_tokens=MAX_TOKENS,
        extra_body=COLD,
        system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        messages=ASKED,
        extra_headers={"x-cocoon-receipt": "wait"},
    )
    message = raw.parse()
    assert (message.type, message.role, message.model) == ("message", "assistant", model), message
    assert message.id.startswith("msg_"), message.id
    assert [block.type for block in message.content] == ["text"] and message.content[0].text, message.content
    assert message.stop_reason in ("end_turn", "max_tokens"), message.stop_reason
    usage = message.usage
    assert usage.input_tokens + usage.cache_read_input_tokens > 0 and usage.output_tokens > 0, usage
    assert usage.to_dict()["total_cost"] > 0, usage
    assert message._request_id == raw.headers["x-cocoon-request-id"], raw.headers
    assert raw.headers.get("x-cocoon-receipt-id"), "the answer names no receipt"
    print(f"plain: {usage.output_tokens} tokens, stop reason {message.stop_reason}")


def streamed(client: anthropic.Anthropic, model: str) -> None:
    with client.messages.stream(model=model, max_tokens=STREAMED_TOKENS, messages=ASKED, extra_body=COLD) as stream:
        pieces = list(stream.text_stream)
        final = stream.get_final_message()
    assert len(pieces) > 1, f"{len(pieces)} pieces are no stream"
    assert "".join(pieces) == final.content[0].text, (pieces, final.content)
    assert final.stop_reason in ("end_turn", "max_tokens"), final
    assert final.usage.input_tokens + final.usage.cache_read_input_tokens > 0, final.usage
    assert final.usage.output_tokens > 0, final.usage
    whole = client.messages.create(model=model, max_tokens=STREAMED_TOKENS, messages=ASKED, extra_body=COLD)
    assert whole.content[0].text == final.content[0].text, "a stream says something else than a whole answer"
    kinds = [event.type for event in client.messages.create(model=model, max_tokens=4, messages=ASKED, stream=True)]
    assert kinds[0] == "message_start" and kinds[-2:] == ["message_delta", "message_stop"], kinds
    print(f"streamed: {len(pieces)} pieces, {final.usage.output_tokens} tokens")


def tools(client: anthropic.Anthropic, model: str) -> None:
    asked = dict(model=model, max_tokens=ROOM_FOR_JSON, tools=[TOOL], tool_choice=ONE_CALL)
    message = client.messages.create(messages=ASKED, **asked)
    calls = [block for block in message.content if block.type == "tool_use"]
    assert message.stop_reason == "tool_use" and len(calls) == 1, message
    assert calls[0].name == "tell", calls
    fits(calls[0].input)
    with client.messages.stream(messages=ASKED, **asked) as stream:
        written = "".join(event.partial_json for event in stream if event.type == "input_json")
        final = stream.get_final_message()
    call = final.content[-1]
    assert final.stop_reason == "tool_use" and call.type == "tool_use", final
    assert json.loads(written) == call.input, (written, call.input)
    fits(call.input)
    # What the tool gave goes back, and the model says more.
    result = {"type": "tool_result", "tool_use_id": call.id, "content": [{"type": "text", "text": "told"}]}
    turns = ASKED + [{"role": "assistant", "content": final.content}, {"role": "user", "content": [result]}]
    after = client.messages.create(model=model, max_tokens=MAX_TOKENS, tools=[TOOL], messages=turns)
    assert after.usage.output_tokens > 0, after
    print(f"tools: {call.name}({json.dumps(call.input)})")


def formed(client: anthropic.Anthropic, model: str) -> None:
    message = client.messages.create(
        model=model,
        max_tokens=ROOM_FOR_JSON,
        messages=ASKED,
        output_config={"format": {"type": "json_schema", "schema": SCHEMA}},
    )
    fits(json.loads(message.content[0].text))
    print(f"answer by a schema: {message.content[0].text}")


def refused(client: anthropic.Anthropic, model: str) -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": IMAGE}}
    cases = [
        (anthropic.NotFoundError, "not_found_error", dict(model="no-such-model", messages=ASKED)),
        (anthropic.BadRequestError, "messages[0].content[0]", dict(messages=[{"role": "user", "content": [image]}])),
        (anthropic.BadRequestError, "container", dict(messages=ASKED, extra_body={"container": "a"})),
        (anthropic.BadRequestError, "tools[0].type", dict(messages=ASKED, tools=[{"type": "web_search_20250305", "name": "web_search"}])),
    ]
    for kind, says, asked in cases:
        try:
            client.messages.create(**{"model": model, "max_tokens": 1, **asked})
        except kind as error:
            assert error.body["type"] == "error" and error.body["error"]["message"], error.body
            assert says in json.dumps(error.body), error.body
            print(f"{type(error).__name__}: {error.body['error']['message']}")
        else:
            raise AssertionError(f"{asked} was answered")
    try:
        client.messages.count_tokens(model=model, messages=ASKED)
    except anthropic.NotFoundError as error:
        assert error.body["error"]["type"] == "not_found_error", error.body
    else:
        raise AssertionError("tokens were counted without a tokenizer")


def main() -> None:
    client = anthropic.Anthropic(base_url=sys.argv[1], api_key="unused", max_retries=0, timeout=60)
    plain(client, "tiny")
    streamed(client, "tiny")
    tools(client, "tools")
    formed(client, "tiny")
    refused(client, "tiny")
    print(f"anthropic {anthropic.__version__}: passed")


main()
