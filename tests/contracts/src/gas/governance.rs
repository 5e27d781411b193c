//! The governor's messages, with two proposals open already.

use cocoon_bindings::governor::{
    AskToPurgeProposal, CancelFromCouncil, CancelFromProposer, PauseFromCouncil, WithdrawApprovalFromSigner,
};
use cocoon_bindings::root::{AddWorkerHashFromOwner, ChangePricesFromOwner, DeleteWorkerHashFromOwner};
use cocoon_bindings::ton::{Cell, HashBytes};
use cocoon_bindings::types::DoNotProcess;
use cocoon_bindings::{Nanoton, QueryId};
use cocoon_emulator::NetworkConfig;

use crate::gas::common::QUERY;
use crate::gas::{Row, rows_of};
use crate::governed::{CRITICAL_DELAY, DAY, Governed, HOUR};
use crate::messages::{body, query};
use crate::people::{ANYONE, COUNCIL, SIGNERS};
use crate::trace::Cast;

fn add(query_id: QueryId) -> AddWorkerHashFromOwner {
    AddWorkerHashFromOwner {
        query_id,
        hash: HashBytes([5; 32]),
    }
}

fn revoke(query_id: QueryId) -> DeleteWorkerHashFromOwner {
    DeleteWorkerHashFromOwner {
        query_id,
        hash: HashBytes([5; 32]),
    }
}

pub(super) fn walk(network: &NetworkConfig) -> Vec<Row> {
    let mut governed = Governed::on(network);
    let mut cast = Cast::of(&governed.world);
    cast.contract(&governed.governor, "governor");
    let mut rows = Vec::new();
    let mut note = |step: &str, outcome: &crate::Outcome| rows.extend(rows_of(&cast, step, outcome, |_| true));
    let dropped = governed.propose(1, add);
    let cancelled = governed.propose(2, add);
    let id = governed.next_id(0);
    let propose = governed.proposal_of(0, body(&add(query(id))), 30 * DAY);
    note("propose", &governed.send(&SIGNERS[0], &propose));
    let approve = governed.approval_of(1, id);
    note("approve", &governed.send(&SIGNERS[1], &approve));
    let take_back = WithdrawApprovalFromSigner {
        query_id: QUERY,
        signer_index: 1,
        proposal_id: id,
    };
    note("take an approval back", &governed.send(&SIGNERS[1], &take_back));
    governed.approve(1, id);
    governed.world.chain.advance(CRITICAL_DELAY).unwrap();
    note("execute", &governed.execute(id));
    let bad = governed.decide(|query_id| ChangePricesFromOwner {
        query_id,
        price_per_token: Nanoton::new(1),
        worker_fee_per_token: Nanoton::new(2),
    });
    note("execute what the root refuses", &governed.execute(bad));
    let id = governed.propose(0, revoke);
    note("revoke", &governed.execute(id));
    let cancel = CancelFromProposer {
        query_id: QUERY,
        signer_index: 1,
        proposal_id: dropped,
    };
    note("cancel by the proposer", &governed.send(&SIGNERS[1], &cancel));
    let cancel = CancelFromCouncil {
        query_id: QUERY,
        member_index: 0,
        proposal_id: cancelled,
    };
    note("cancel by the council", &governed.send(&COUNCIL[0], &cancel));
    let pause = PauseFromCouncil {
        query_id: QUERY,
        member_index: 0,
        duration: HOUR,
    };
    note("pause", &governed.send(&COUNCIL[0], &pause));
    let remark = DoNotProcess {
        query_id: QUERY,
        note: Cell::default(),
    };
    note("note", &governed.send(&ANYONE, &remark));
    governed.world.chain.advance(31 * DAY).unwrap();
    let purge = AskToPurgeProposal {
        query_id: QUERY,
        proposal_id: bad,
    };
    note("purge", &governed.send(&ANYONE, &purge));
    rows
}
