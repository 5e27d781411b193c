//! Bounds of the engine, each with its reason.

use std::time::Duration;

/// Bytes of a prompt before it is tokenized: the protocol's frame is 16 MiB, and a tokenizer needs many times its
/// input in memory.
pub const MAX_PROMPT_BYTES: usize = 4 * 1024 * 1024;

/// Messages of one chat.
pub const MAX_MESSAGES: usize = 4096;

/// Stop strings of one request. OpenAI allows four; each costs a search per piece of text.
pub const MAX_STOP_STRINGS: usize = 16;

/// Bytes of one stop string: as much text may be held back from the stream.
pub const MAX_STOP_BYTES: usize = 256;

/// Tokens of one step, prompts and answers together, unless the options say otherwise: an answer's next token waits for
/// at most this much of its neighbours' prompts.
pub const DEFAULT_MAX_STEP_TOKENS: usize = 256;

/// How long a request may wait for its first step unless the options say otherwise; whoever has waited this long is
/// served sooner elsewhere.
pub const DEFAULT_MAX_QUEUE_AGE: Duration = Duration::from_secs(60);

/// What a token of an answer counts in the fair shares of payers, in tokens of a prompt: it costs a pass over all
/// weights that prompt tokens share with their neighbours.
pub const ANSWER_TOKEN_WEIGHT: usize = 2;

/// Payers without a request here whose use of the engine is remembered; it is 50 bytes for each, and who is forgotten
/// only starts level with the others.
pub const MAX_REMEMBERED_PAYERS: usize = 4096;

/// Tokens whose logits one request may change: OpenAI's own bound, and each costs an addition per token.
pub const MAX_LOGIT_BIAS: usize = 1024;

/// Bytes of a schema, or of all that is made of a request's tools: the largest published schemas of tools have some ten
/// thousand. A schema of this size with thousands of members takes seconds to compile.
pub const MAX_CONSTRAINT_BYTES: usize = 64 * 1024;

/// Bytes of a grammar: it may be one regular expression, and then compiling takes time and memory by the square of its
/// length, some 160 MB for this one.
pub const MAX_GRAMMAR_BYTES: usize = 16 * 1024;

/// Bytes of a regular expression, or of all of a schema's together; see [`MAX_GRAMMAR_BYTES`]. Here it is some 60 MB.
pub const MAX_PATTERN_BYTES: usize = 8 * 1024;

/// Bytes of stack of the threads that compile constraints and follow them, by recursion, one level for each reference from
/// rule to rule: 16 KiB of the shortest rules, and 64 KiB of schemas, need less than a quarter of it. A page of it is
/// taken when it is first touched.
pub const CONSTRAINT_STACK_BYTES: usize = 256 * 1024 * 1024;

/// Likeliest tokens that are told for each position, as OpenAI.
pub const MAX_TOP_LOGPROBS: usize = 20;

/// Positions of one block of the cache: a sequence wastes half of this on average, and prompts share whole blocks.
pub const KV_BLOCK: usize = 32;

/// Sequences that run side by side unless the options say otherwise.
pub const DEFAULT_MAX_NUM_SEQS: usize = 8;

/// Sequences that wait for a place unless the options say otherwise.
pub const DEFAULT_MAX_WAITING: usize = 64;

/// Positions of all running sequences together unless the options say otherwise: 256 MiB of cache for a model of
/// 28 layers, 8 heads of 128, in f32, would be 1,170 positions; this many fit 4 GiB there.
pub const DEFAULT_MAX_KV_TOKENS: usize = 16 * 1024;

/// Tokens of an answer when the request names no number.
pub const DEFAULT_MAX_TOKENS: usize = 1024;

/// Bytes of `config.json`, `generation_config.json`, `tokenizer_config.json` or a chat template.
pub const MAX_CONFIG_BYTES: u64 = 4 * 1024 * 1024;

/// Bytes of `tokenizer.json`: those of 256k-token vocabularies have about 35 MB.
pub const MAX_TOKENIZER_BYTES: u64 = 128 * 1024 * 1024;

/// Bytes of the header of one safetensors file.
pub const MAX_HEADER_BYTES: u64 = 64 * 1024 * 1024;

/// Tensors of one GGUF file: twice those of a model of [`MAX_LAYERS`] layers with 32 tensors each.
pub const MAX_GGUF_TENSORS: usize = 16 * 1024;

/// Keys of one GGUF file; published ones have fewer than 100.
pub const MAX_GGUF_KEYS: usize = 4096;

/// Bytes of a name in a GGUF file; the format itself allows 65,535 for keys.
pub const MAX_GGUF_TEXT_BYTES: usize = 64 * 1024;

/// Texts of one request for embeddings; as many as OpenAI allows.
pub const MAX_EMBEDDING_INPUTS: usize = 2048;

/// Files of weights of one model: the largest published ones have fewer than 200.
pub const MAX_WEIGHT_FILES: usize = 1024;

/// Layers of a model: twice the deepest published dense model.
pub const MAX_LAYERS: usize = 256;

/// Any other dimension of a model (vocabulary, hidden size, positions).
pub const MAX_DIMENSION: usize = 4 * 1024 * 1024;
