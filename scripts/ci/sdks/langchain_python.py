"""Chat, streams, tools, answers by a schema, logprobs, embeddings and errors through the unmodified `langchain-openai` package; the first difference ends it with an error."""

import importlib.metadata
import sys

import langchain_openai
import openai
from langchain_core.messages import HumanMessage, ToolMessage

from shared import MAX_TOKENS, PROMPT, ROOM_FOR_JSON, SCHEMA, STREAMED_TOKENS, fits

URL = f"{sys.argv[1]}/v1"


def chat(model: str, **options: object) -> langchain_openai.ChatOpenAI:
    options = {"max_completion_tokens": MAX_TOKENS, "temperature": 0, **options}
    return langchain_openai.ChatOpenAI(model=model, base_url=URL, api_key="unused", max_retries=0, timeout=60, **options)


def said() -> None:
    long = {"max_completion_tokens": STREAMED_TOKENS}
    answer = chat("tiny", **long).invoke(PROMPT)
    assert answer.text and answer.usage_metadata["output_tokens"] > 0, answer
    pieces = list(chat("tiny", stream_usage=True, **long).stream(PROMPT))
    whole = pieces[0]
    for piece in pieces[1:]:
        whole += piece
    assert len(pieces) > 2 and whole.text == answer.text, (whole, answer)
    assert whole.usage_metadata == answer.usage_metadata, (whole.usage_metadata, answer.usage_metadata)
    told = chat("tiny", logprobs=True, top_logprobs=2).invoke(PROMPT).response_metadata["logprobs"]["content"]
    assert told and all(len(token["top_logprobs"]) == 2 for token in told), told
    print(f"chat: {answer.usage_metadata['output_tokens']} tokens, {len(pieces)} pieces")


def tools() -> None:
    tool = {"name": "tell", "description": "Tells an answer.", "parameters": SCHEMA}
    model = chat("tools", max_completion_tokens=ROOM_FOR_JSON)
    asked = [HumanMessage(PROMPT)]
    answer = model.bind_tools([tool], tool_choice="tell").invoke(asked)
    assert len(answer.tool_calls) == 1 and answer.tool_calls[0]["name"] == "tell", answer
    fits(answer.tool_calls[0]["args"])
    turns = [*asked, answer, ToolMessage("told", tool_call_id=answer.tool_calls[0]["id"])]
    assert model.bind_tools([tool]).invoke(turns).usage_metadata["output_tokens"] > 0
    print(f"tools: {answer.tool_calls[0]['args']}")


def formed() -> None:
    schema = {"title": "answer", "description": "An answer.", **SCHEMA}
    value = chat("tiny", max_completion_tokens=ROOM_FOR_JSON).with_structured_output(schema, method="json_schema").invoke(PROMPT)
    fits(value)
    print(f"answer by a schema: {value}")


def responses() -> None:
    answer = chat("tiny", use_responses_api=True).invoke(PROMPT)
    assert answer.text and answer.usage_metadata["output_tokens"] > 0, answer
    pieces = list(chat("tiny", use_responses_api=True).stream(PROMPT))
    assert "".join(piece.text for piece in pieces) == answer.text, (pieces, answer)
    print(f"responses: {answer.usage_metadata['output_tokens']} tokens")


def embeddings() -> None:
    # Otherwise it would fetch a tokenizer of another vendor's models.
    model = langchain_openai.OpenAIEmbeddings(
        model="vectors", base_url=URL, api_key="unused", max_retries=0, check_embedding_ctx_length=False
    )
    both = model.embed_documents([PROMPT, "Hello!"])
    assert len(both) == 2 and len(both[0]) == len(both[1]) > 1, both
    print(f"embeddings: {len(both[0])} numbers")


def refused() -> None:
    try:
        chat("no-such-model").invoke(PROMPT)
    except openai.NotFoundError as error:
        assert error.code == "model_not_found", error
        print(f"unknown model: {error.body['message']}")
    else:
        raise AssertionError("an unknown model was answered")


said()
tools()
formed()
responses()
embeddings()
refused()
print(f"langchain-openai {importlib.metadata.version('langchain-openai')}: passed")
