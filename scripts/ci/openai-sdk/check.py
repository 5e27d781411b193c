"""Plain and streamed chat, logprobs, several answers, constrained ones and embeddings through the unmodified `openai` package; the first difference ends it with an error."""

import array
import json
import math
import sys

import openai

PROMPT = "What is Cocoon?"
MAX_TOKENS = 16


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
        max_tokens=MAX_TOKENS,
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
    schema = {
        "type": "object",
        "properties": {"answer": {"enum": ["yes", "no"]}, "count": {"type": "integer", "minimum": 0, "maximum": 9}},
        "required": ["answer", "count"],
        "additionalProperties": False,
    }
    answer = client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": PROMPT}],
        # Between two parts of JSON up to 20 blanks may stand, and a tiny model likes them.
        max_tokens=400,
        response_format={"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}},
    )
    assert answer.choices[0].finish_reason == "stop", answer.choices
    value = json.loads(answer.choices[0].message.content)
    assert value["answer"] in ("yes", "no") and 0 <= value["count"] <= 9, value
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


def refused(client: openai.OpenAI) -> None:
    try:
        client.chat.completions.create(
            model="no-such-model", messages=[{"role": "user", "content": PROMPT}], max_tokens=1
        )
    except openai.APIStatusError as error:
        assert 400 <= error.status_code < 500 or error.status_code == 503, error.status_code
        assert isinstance(error.body, dict) and error.body.get("message"), error.body
        print(f"unknown model: {type(error).__name__}, status {error.status_code}")
    else:
        raise AssertionError("an unknown model was answered")


def main() -> None:
    url = sys.argv[1]
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=0, timeout=60)
    models = [model.id for model in client.models.list()]
    assert models == ["tiny", "vectors"], models
    print(f"models: {', '.join(models)}")
    plain(client, models[0])
    streamed(client, models[0])
    several(client, models[0])
    formed(client, models[0])
    embeddings(client, models[1])
    refused(client)
    print(f"openai {openai.__version__}: passed")


main()
