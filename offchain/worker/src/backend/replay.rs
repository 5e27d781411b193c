//! A request answered once more, to compare it with what was answered then.

use super::Trouble;
use super::local::Local;
use super::prepare::{Prepared, prepare, refusal};
use super::writer::Writer;
use cocoon_bindings::tokens::TokenCounts;
use cocoon_engine::PayerSalt;
use cocoon_openai::{Request, Usage};

/// What the first answer had by chance, not by computation.
pub(crate) struct Recorded {
    /// Of the sampler.
    pub(crate) seed: u64,
    /// Unix seconds.
    pub(crate) created: u64,
    /// Of its name.
    pub(crate) id: [u8; 12],
    /// Part of the body, with prices that only the contract knows.
    pub(crate) usage: Usage,
}

/// The answer of now.
pub(crate) struct Again {
    /// As one JSON document.
    pub(crate) body: String,
    /// Hash of the sampling in force.
    pub(crate) sampling_hash: [u8; 32],
    /// Tokens; nothing of the prompt was cached.
    pub(crate) counts: TokenCounts,
}

impl Local {
    /// Answers a request with the seed of then, sharing nothing with what runs beside it.
    pub(crate) async fn again(&self, request: &Request, recorded: Recorded) -> Result<Again, Trouble> {
        let card = self.engine().card();
        let Prepared {
            mut submit,
            sampling,
            choices,
        } = prepare(request, &card.sampling_defaults, card.tools, 0)?;
        submit.seed = recorded.seed;
        submit.payer_salt = (choices > 1).then(|| PayerSalt::from([0; 32]));
        let writer = Writer::new(request.endpoint(), self.model(), recorded.created, recorded.id, choices)
            .with_tools(card.tools)
            .with_logprobs(submit.logprobs.is_some());
        let mut answers = self.submit(&submit, choices, writer).map_err(|error| refusal(&error))?;
        let pieces = answers.collect().await?;
        Ok(Again {
            sampling_hash: sampling.hash(),
            counts: answers.counts(),
            body: answers.write(pieces, recorded.usage),
        })
    }
}
