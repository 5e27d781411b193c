//! A proposal that the root contract never answers, and one whose signers have gone.

use cocoon_bindings::governor::ProposalState;
use cocoon_bindings::root::RootMessage;
use cocoon_bindings::ton::{Cell, to_cell};
use cocoon_bindings::types::DoNotProcess;

use super::{DAY, Governed};
use crate::OwnerError;
use crate::operation::governance::Cancel;

#[tokio::test]
async fn a_proposal_without_an_answer_hangs_nothing_and_is_removed_in_the_end() {
    let governed = Governed::new().await;
    let note = |query_id| {
        let note = Cell::default();
        to_cell(&RootMessage::DoNotProcess(DoNotProcess { query_id, note })).unwrap()
    };
    let id = governed.propose_by_hand(note).await;
    governed.approve_by_hand(id).await;
    governed.stage.advance(4 * DAY);
    let execute = governed.execution(id);
    let waits = governed.run(9, &execute).await.unwrap();
    assert!(waits.sent.len() == 1 && waits.awaits.is_some(), "{waits:?}");
    governed.stage.advance(600);
    let stuck = governed.run(9, &execute).await;
    assert!(
        matches!(&stuck, Err(OwnerError::State { what, .. }) if what.contains("has not answered")),
        "{stuck:?}"
    );
    let cancel = Cancel {
        root: governed.stage.root.clone(),
        governor: None,
        proposal: id,
    };
    let open = governed.run(9, &cancel).await;
    assert!(matches!(open, Err(OwnerError::State { .. })), "{open:?}");
    governed.stage.advance(30 * DAY);
    let governor = governed.governor().await;
    let proposal = governor.proposals.get(&id).unwrap();
    assert_eq!(governor.state_of(proposal), ProposalState::UnderWay);
    assert_eq!(governed.run(9, &cancel).await.unwrap().sent.len(), 1);
    assert!(governed.governor().await.proposals.is_empty());
}
