//! What a governor is told.

use cocoon_bindings::governor::GovernorMessage;
use cocoon_owner::date;
use cocoon_owner::governance::Change;

use super::{Words, note};

pub(super) fn words(message: GovernorMessage) -> Words {
    Words::new(match message {
        GovernorMessage::ApproveFromSigner(vote) => {
            format!("signer {} approves proposal {}", vote.signer_index, vote.proposal_id)
        }
        GovernorMessage::ProposeFromSigner(propose) => {
            let what = Change::decode(&propose.body).and_then(|(change, id)| Ok((change.says()?, id)));
            let (says, number) = match what {
                Ok((says, id)) => (says, format!("proposal {id}")),
                Err(_) => (
                    "something that this version CANNOT READ".to_owned(),
                    "a proposal".to_owned(),
                ),
            };
            let until = date(propose.expires_at);
            format!(
                "signer {} makes {number}, good until {until}: {says}",
                propose.signer_index
            )
        }
        GovernorMessage::AskToExecuteProposal(execute) => format!("execute proposal {}", execute.proposal_id),
        GovernorMessage::ReturnExcessesBack(_) => "what is left of a message".to_owned(),
        GovernorMessage::WithdrawApprovalFromSigner(vote) => {
            format!(
                "signer {} takes back the approval of proposal {}",
                vote.signer_index, vote.proposal_id
            )
        }
        GovernorMessage::CancelFromProposer(cancel) => {
            format!("signer {} drops proposal {}", cancel.signer_index, cancel.proposal_id)
        }
        GovernorMessage::CancelFromCouncil(cancel) => {
            format!(
                "council member {} drops proposal {}",
                cancel.member_index, cancel.proposal_id
            )
        }
        GovernorMessage::PauseFromCouncil(pause) => {
            format!(
                "council member {} stops all changes for {} s",
                pause.member_index, pause.duration
            )
        }
        GovernorMessage::AskToPurgeProposal(purge) => format!("forget proposal {}, which is over", purge.proposal_id),
        GovernorMessage::DoNotProcess(left) => return note(&left),
    })
}
