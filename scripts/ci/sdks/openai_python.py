"""Plain and streamed chat, logprobs, several answers, constrained ones, tools, responses, embeddings and errors through the unmodified `openai` package of PyPI; the first difference ends it with an error."""

import array
import json
import math
import sys

import openai

from shared import IMAGE, MAX_TOKENS, PROMPT, ROOM_FOR_JSON, SCHEMA, STREAMED_TOKENS, fits


def plain(client: openai.OpenAI, model: str) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model=model,
        messages=[{"role": "user", "content": PROMPT}],
        max_tokens=MAX_TOKENS,
        temperature=0,
        extra_headers={"x-cocoon-receipt": "wait"},
    )
    answer = raw.parse()
    assert answer.object == "chat.completion", answer.object
    assert len(answer.choices) == 1, answer.choices
    choice = answer.choices[0]
    assert choice.message.role == "assistant", choice.message
    assert choice.message.content, "the answer is empty"
    assert choice.finish_reason in ("stop", "length"), choice.finish_reason
    usage = answer.usage
    assert usage is not None, "the answer has no usage"
    assert usage.prompt_tokens > 0, usage
    assert 0 < usage.completion_tokens, usage
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens, usage
    assert raw.headers.get("x-cocoon-request-id"), "the answer names no request"
    assert raw.headers.get("x-cocoon-receipt-id"), "the answer names no receipt"
    print(f"plain: {usage.completion_tokens} tokens, finish reason {choice.finish_reason}")


def streamed(client: openai.OpenAI, model: str) -> None:
    stream = client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": PROMPT}],
        max_tokens=STREAMED_TOKENS,
        temperature=0,
        stream=True,
        stream_options={"include_usage": True},
    )
    text, chunks, finish, usage = "", 0, None, None
    for chunk in stream:
        assert chunk.object == "chat.completion.chunk", chunk.object
        chunks += 1
        if chunk.usage is not None:
            usage = chunk.usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            finish = choice.finish_reason or finish
    assert text, "the stream has no text"
    assert chunks >= 3, f"{chunks} chunks are no stream"
    assert finish in ("stop", "length"), finish
    assert usage is not None and usage.completion_tokens > 0, usage
    print(f"streamed: {chunks} chunks, {usage.completion_tokens} tokens, finish reason {finish}")


def several(client: openai.OpenAI, model: str) -> None:
    answer = client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": PROMPT}],
        max_tokens=MAX_TOKENS,
        n=2,
        seed=7,
        logprobs=True,
        top_logprobs=3,
    )
    assert [choice.index for choice in answer.choices] == [0, 1], answer.choices
    for choice in answer.choices:
        told = choice.logprobs.content
        assert told and all(len(token.top_logprobs) == 3 for token in told), told
        assert all(token.logprob <= 0 for token in told), told
        # Both are whole texts, but for blanks that belong to no part.
        text = b"".join(bytes(token.bytes) for token in told).decode(errors="replace")
        assert choice.message.content in text, (choice.message.content, text)
    assert answer.usage.completion_tokens > len(answer.choices), answer.usage
    print(f"two answers with logprobs: {answer.usage.completion_tokens} tokens")

    answer = client.completions.create(model=model, prompt="What is", max_tokens=4, logprobs=2, temperature=0)
    told = answer.choices[0].logprobs
    assert len(told.tokens) == len(told.token_logprobs) == len(told.text_offset), told
    assert all(math.isfinite(number) for number in told.token_logprobs), told
    print("completion with logprobs: passed")


def formed(client: openai.OpenAI, model: str) -> None:
    answer = client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": PROMPT}],
        max_tokens=ROOM_FOR_JSON,
        response_format={"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA}},
    )
    assert answer.choices[0].finish_reason == "stop", answer.choices
    value = json.loads(answer.choices[0].message.content)
    fits(value)
    print(f"answer by a schema: {value}")

    answer = client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": PROMPT}],
        extra_body={"guided_choice": ["red", "blue"]},
        logit_bias={"5": -100},
    )
    assert answer.choices[0].message.content in ("red", "blue"), answer.choices
    print(f"answer by a choice: {answer.choices[0].message.content}")


def embeddings(client: openai.OpenAI, model: str) -> None:
    # The package asks for base64 unless it is told otherwise.
    both = client.embeddings.create(model=model, input=[PROMPT, "Hello!"])
    assert [one.index for one in both.data] == [0, 1], both.data
    assert both.usage.prompt_tokens == both.usage.total_tokens > 2, both.usage
    alone = client.embeddings.create(model=model, input="Hello!", encoding_format="float")
    # As f32, which base64 brings bit by bit and decimal numbers in their shortest form.
    found = [array.array("f", one.embedding) for one in (alone.data[0], both.data[1])]
    assert found[0] == found[1], "the same text has two vectors"
    length = math.sqrt(sum(number * number for number in alone.data[0].embedding))
    assert abs(length - 1) < 1e-4, length
    short = client.embeddings.create(model=model, input=[[1, 2, 3]], dimensions=8)
    assert len(short.data[0].embedding) == 8 and short.usage.prompt_tokens == 3, short.usage
    print(f"embeddings: {len(alone.data[0].embedding)} numbers, {both.usage.prompt_tokens} tokens")


def tools(client: openai.OpenAI, model: str) -> None:
    tool = {"type": "function", "function": {"name": "tell", "description": "Tells an answer.", "parameters": SCHEMA}}
    messages = [{"role": "user", "content": PROMPT}]
    asked = dict(model=model, max_tokens=ROOM_FOR_JSON, tools=[tool], temperature=0)
    one = dict(tool_choice="required", parallel_tool_calls=False)
    choice = client.chat.completions.create(messages=messages, **asked, **one).choices[0]
    assert choice.finish_reason == "tool_calls" and len(choice.message.tool_calls) == 1, choice
    call = choice.message.tool_calls[0]
    assert call.function.name == "tell", call
    fits(json.loads(call.function.arguments))
    name, arguments = "", ""
    for chunk in client.chat.completions.create(messages=messages, stream=True, **asked, **one):
        for piece in (chunk.choices[0].delta.tool_calls or []) if chunk.choices else []:
            name += piece.function.name or ""
            arguments += piece.function.arguments or ""
    assert (name, arguments) == ("tell", call.function.arguments), (name, arguments)
    told = [*messages, choice.message, {"role": "tool", "tool_call_id": call.id, "content": "told"}]
    assert client.chat.completions.create(messages=told, **{**asked, "max_tokens": MAX_TOKENS}).usage.completion_tokens > 0
    print(f"tools: tell({arguments})")


def responses(client: openai.OpenAI, model: str, tools: str) -> None:
    asked = dict(model=model, input=PROMPT, max_output_tokens=MAX_TOKENS, temperature=0)
    answer = client.responses.create(instructions="Be brief.", **asked)
    assert answer.id.startswith("resp_") and answer.object == "response", answer
    assert answer.status in ("completed", "incomplete") and answer.output_text, answer
    assert answer.store is False and answer.max_output_tokens == MAX_TOKENS, answer
    usage = answer.usage
    assert usage.input_tokens > 0 and usage.total_tokens == usage.input_tokens + usage.output_tokens, usage
    # The streaming helper waits for `response.completed`: an answer by a schema comes to its end.
    form = {"format": {"type": "json_schema", "name": "answer", "strict": True, "schema": SCHEMA}}
    with client.responses.stream(model=model, input=PROMPT, max_output_tokens=ROOM_FOR_JSON, text=form) as stream:
        text = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        final = stream.get_final_response()
    assert final.output_text == text and final.status == "completed", final
    fits(json.loads(text))
    tool = {"type": "function", "name": "tell", "description": "Tells.", "parameters": SCHEMA, "strict": True}
    wish = dict(model=tools, tools=[tool], tool_choice="required", parallel_tool_calls=False, max_output_tokens=ROOM_FOR_JSON)
    with client.responses.stream(input=PROMPT, **wish) as stream:
        arguments = "".join(event.delta for event in stream if event.type == "response.function_call_arguments.delta")
        call = stream.get_final_response().output[-1]
    assert call.type == "function_call" and call.arguments == arguments, call
    fits(json.loads(arguments))
    turns = [{"role": "user", "content": PROMPT}, call, {"type": "function_call_output", "call_id": call.call_id, "output": "told"}]
    after = client.responses.create(model=tools, tools=[tool], input=turns, max_output_tokens=MAX_TOKENS)
    assert after.usage.output_tokens > 0, after
    try:
        client.responses.create(previous_response_id=answer.id, **asked)
    except openai.BadRequestError as error:
        assert error.param == "previous_response_id", error.body
    else:
        raise AssertionError("a response was found again, and none is kept")
    print(f"responses: {usage.output_tokens} tokens, {call.name}({arguments})")


def refused(client: openai.OpenAI, model: str) -> None:
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{IMAGE}"}}
    hello = [{"role": "user", "content": PROMPT}]
    shown = [*hello, {"role": "assistant", "content": "Ask."}, {"role": "user", "content": [{"type": "text", "text": "This."}, image]}]
    cases = [
        (openai.NotFoundError, "model", dict(model="no-such-model", messages=hello)),
        (openai.BadRequestError, "messages[2].content[1]", dict(messages=shown)),
        (openai.BadRequestError, "no_such_field", dict(messages=hello, extra_body={"no_such_field": 1})),
        (openai.BadRequestError, "temperature", dict(messages=hello, temperature=3)),
        (openai.BadRequestError, "provider.quantizations", dict(messages=hello, extra_body={"provider": {"quantizations": ["fp8"]}})),
        (openai.APIStatusError, "provider.attestation", dict(messages=hello, extra_body={"provider": {"attestation": {"required": "real"}}})),
    ]
    for kind, param, asked in cases:
        try:
            client.chat.completions.create(**{"model": model, "max_tokens": 1, **asked})
        except kind as error:
            assert error.param == param and error.body["message"], error.body
            print(f"{type(error).__name__}, status {error.status_code}: {error.body['message']}")
        else:
            raise AssertionError(f"{asked} was answered")


def demanded(client: openai.OpenAI, model: str) -> None:
    row = client.models.retrieve(model).to_dict()
    assert row["attested"] and row["simulated"] and row["pricing"]["prompt"] > 0, row
    ceiling = row["pricing"]["completion"]
    demands = {"attestation": {"required": "simulated"}, "max_price": {"completion": ceiling}, "allow_fallbacks": False}
    asked = dict(model=model, max_tokens=1, messages=[{"role": "user", "content": PROMPT}])
    answer = client.chat.completions.create(extra_body={"provider": demands}, **asked)
    assert answer.usage.completion_tokens > 0, answer
    demands["max_price"] = {"completion": ceiling - 1}
    try:
        client.chat.completions.create(extra_body={"provider": demands}, **asked)
    except openai.InternalServerError as error:
        assert (error.status_code, error.param) == (503, "provider.max_price"), error.body
    else:
        raise AssertionError("an answer was dearer than its caller allows")
    if row["model_hash"]:
        answer = client.chat.completions.create(extra_body={"provider": {"manifest": row["model_hash"]}}, **asked)
        assert answer.usage.completion_tokens > 0, answer
    print(f"demands: {ceiling} nanoton for a million tokens, model {row['model_hash']}")


def main() -> None:
    url = sys.argv[1]
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=0, timeout=60)
    models = [model.id for model in client.models.list()]
    assert models == ["tiny", "tools", "vectors"], models
    print(f"models: {', '.join(models)}")
    plain(client, "tiny")
    streamed(client, "tiny")
    several(client, "tiny")
    formed(client, "tiny")
    tools(client, "tools")
    responses(client, "tiny", "tools")
    embeddings(client, "vectors")
    refused(client, "tiny")
    demanded(client, "tiny")
    print(f"openai {openai.__version__}: passed")


main()
