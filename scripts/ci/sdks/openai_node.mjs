// Chat, streams, tools, answers by a schema, logprobs, responses, embeddings and errors through the unmodified `openai` package of
// npm; the first difference ends it with an error.
import assert from "node:assert/strict";
import OpenAI from "openai";
import { VERSION } from "openai/version";

const PROMPT = "What is Cocoon?";
const SCHEMA = {
  type: "object",
  properties: { answer: { enum: ["yes", "no"] }, count: { type: "integer", minimum: 0, maximum: 9 } },
  required: ["answer", "count"],
  additionalProperties: false,
};
// Between two parts of JSON up to 20 blanks may stand, and a tiny model likes them.
const ROOM_FOR_JSON = 400;

const client = new OpenAI({ baseURL: `${process.argv[2]}/v1`, apiKey: "unused", maxRetries: 0, timeout: 60_000 });
const messages = [{ role: "user", content: PROMPT }];
const asked = { model: "tiny", messages, max_tokens: 16, temperature: 0 };

function fits(value) {
  assert.deepEqual(Object.keys(value).sort(), ["answer", "count"]);
  assert.ok(["yes", "no"].includes(value.answer) && value.count >= 0 && value.count <= 9, JSON.stringify(value));
}

async function chat() {
  const answer = await client.chat.completions.create({ ...asked, logprobs: true, top_logprobs: 2 });
  const [choice] = answer.choices;
  assert.ok(choice.message.content);
  assert.equal(answer._request_id.length, 64);
  assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
  assert.ok(choice.logprobs.content.every((token) => token.top_logprobs.length === 2));
  const stream = client.chat.completions.stream({ ...asked, stream_options: { include_usage: true } });
  let text = "";
  for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
  assert.equal(text, choice.message.content);
  assert.deepEqual((await stream.totalUsage()).completion_tokens, answer.usage.completion_tokens);
  console.log(`chat: ${answer.usage.completion_tokens} tokens, and the same as a stream`);
}

async function tools() {
  const tool = { type: "function", function: { name: "tell", description: "Tells an answer.", parameters: SCHEMA } };
  const wish = { ...asked, model: "tools", max_tokens: ROOM_FOR_JSON, tools: [tool], tool_choice: "required", parallel_tool_calls: false };
  const { message, finish_reason } = (await client.chat.completions.create(wish)).choices[0];
  assert.equal(finish_reason, "tool_calls");
  fits(JSON.parse(message.tool_calls[0].function.arguments));
  const final = await client.chat.completions.stream(wish).finalMessage();
  assert.deepEqual(final.tool_calls[0].function, message.tool_calls[0].function);
  const told = { role: "tool", tool_call_id: message.tool_calls[0].id, content: "told" };
  const after = await client.chat.completions.create({ ...asked, model: "tools", tools: [tool], messages: [...messages, message, told] });
  assert.ok(after.usage.completion_tokens > 0);
  console.log(`tools: ${message.tool_calls[0].function.arguments}`);
}

async function formed() {
  const response_format = { type: "json_schema", json_schema: { name: "answer", strict: true, schema: SCHEMA } };
  const answer = await client.chat.completions.create({ ...asked, max_tokens: ROOM_FOR_JSON, response_format });
  fits(JSON.parse(answer.choices[0].message.content));
  console.log(`answer by a schema: ${answer.choices[0].message.content}`);
}

async function responses() {
  const wish = { model: "tiny", input: PROMPT, max_output_tokens: 16, temperature: 0 };
  const answer = await client.responses.create(wish);
  assert.ok(answer.output_text);
  let text = "";
  const stream = client.responses.stream(wish);
  stream.on("response.output_text.delta", (event) => (text += event.delta));
  await stream.done();
  assert.equal(text, answer.output_text);
  console.log(`responses: ${answer.usage.output_tokens} tokens, and the same as a stream`);
}

async function embeddings() {
  const both = await client.embeddings.create({ model: "vectors", input: [PROMPT, "Hello!"] });
  assert.equal(both.data.length, 2);
  assert.ok(both.data[0].embedding.length > 1);
  console.log(`embeddings: ${both.data[0].embedding.length} numbers`);
}

async function refused() {
  const image = { type: "image_url", image_url: { url: "data:image/png;base64,AA==" } };
  const cases = [
    [OpenAI.NotFoundError, "model_not_found", "model", { ...asked, model: "no-such-model" }],
    [OpenAI.BadRequestError, "unsupported_parameter", "no_such_field", { ...asked, no_such_field: 1 }],
    [OpenAI.BadRequestError, "invalid_value", "messages[0].content[0]", { ...asked, messages: [{ role: "user", content: [image] }] }],
    [OpenAI.BadRequestError, "invalid_value", "top_p", { ...asked, top_p: 2 }],
  ];
  for (const [kind, code, param, wish] of cases) {
    await assert.rejects(client.chat.completions.create(wish), (error) => {
      assert.ok(error instanceof kind, `${error.name}: ${error.message}`);
      assert.deepEqual([error.code, error.param], [code, param]);
      console.log(`${error.constructor.name}: ${error.message}`);
      return true;
    });
  }
}

for (const check of [chat, tools, formed, responses, embeddings, refused]) await check();
console.log(`openai ${VERSION} of npm: passed`);
