//! The fate of a message, told by servers of different age.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use cocoon_bindings::message::{InternalMessage, SEND_IGNORE_ERRORS, SEND_PAY_FEES_SEPARATELY};
use cocoon_bindings::ton::{Address, Cell, StackValue};
use cocoon_bindings::units::{Nanoton, PublicKey};
use cocoon_bindings::wallets::{WALLET_ID_MAINNET, WalletContract, WalletKind};
use cocoon_emulator::{Emulator, GetterResult, NetworkConfig};
use ed25519_dalek::SigningKey;

use crate::{AccountState, ChainClient, ChainError, EmulatedChain, HttpApi, SignedMessage, Transaction, TransactionId};

const NOW: u32 = 1_780_000_000;

/// A chain whose answers come from servers that stand at different places.
#[derive(Debug)]
struct Ages {
    chain: EmulatedChain,
    /// Histories without a first transaction end before this logical time, as on a server that is behind.
    history_behind: AtomicBool,
    /// Added to the time of every state and answer.
    ahead: AtomicU32,
    /// Accounts as they were, in the order in which they are told before the present ones.
    old: Mutex<Vec<AccountState>>,
    sent: AtomicUsize,
    /// Takes a message and says that the connection broke.
    breaks: AtomicBool,
    /// Keeps messages for itself.
    swallows: AtomicBool,
}

impl Ages {
    fn new() -> Self {
        Self {
            chain: EmulatedChain::new(Emulator::new(&NetworkConfig::default(), NOW).unwrap()),
            history_behind: AtomicBool::new(false),
            ahead: AtomicU32::new(0),
            old: Mutex::new(Vec::new()),
            sent: AtomicUsize::new(0),
            breaks: AtomicBool::new(false),
            swallows: AtomicBool::new(false),
        }
    }
}

#[async_trait]
impl ChainClient for Ages {
    async fn account(&self, address: &Address) -> Result<AccountState, ChainError> {
        let old = self.old.lock().unwrap().pop();
        let account = match old {
            Some(account) => account,
            None => self.chain.account(address).await?,
        };
        let time = account.time + self.ahead.load(Ordering::SeqCst);
        Ok(AccountState { time, ..account })
    }

    async fn run_get_method(
        &self,
        address: &Address,
        method: &str,
        arguments: Vec<StackValue>,
    ) -> Result<GetterResult, ChainError> {
        self.chain.run_get_method(address, method, arguments).await
    }

    async fn transactions(
        &self,
        address: &Address,
        limit: usize,
        from: Option<TransactionId>,
    ) -> Result<Vec<Transaction>, ChainError> {
        let found = self.chain.transactions(address, limit, from).await?;
        let skipped = usize::from(self.history_behind.swap(false, Ordering::SeqCst));
        Ok(found.into_iter().skip(skipped).collect())
    }

    async fn send_boc(&self, message: &Cell) -> Result<(), ChainError> {
        self.sent.fetch_add(1, Ordering::SeqCst);
        if self.swallows.load(Ordering::SeqCst) {
            return Ok(());
        }
        self.chain.send_boc(message).await?;
        match self.breaks.swap(false, Ordering::SeqCst) {
            true => Err(ChainError::Unreachable {
                url: "http://a".to_owned(),
                reason: "broken".to_owned(),
            }),
            false => Ok(()),
        }
    }

    async fn now(&self) -> Result<u32, ChainError> {
        Ok(self.chain.now().await? + self.ahead.load(Ordering::SeqCst))
    }
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn wallet() -> WalletContract {
    WalletContract::v5r1(PublicKey::from(&key()), WALLET_ID_MAINNET)
}

fn signed(valid_until: u32) -> Cell {
    let payment = InternalMessage {
        to: Address::new(0, [9; 32].into()),
        value: Nanoton::from_ton(1),
        bounce: false,
        body: Cell::default(),
        state_init: None,
    };
    let mode = SEND_PAY_FEES_SEPARATELY | SEND_IGNORE_ERRORS;
    wallet()
        .external(0, valid_until, &[(mode, payment)], &key(), true)
        .unwrap()
}

/// A funded wallet's first message, of one TON.
async fn first_message(chain: &Ages) -> SignedMessage {
    let address = wallet().address().unwrap();
    chain.chain.with(|chain| {
        chain.fund(&address, Nanoton::from_ton(10)).unwrap();
        chain.run().unwrap();
    });
    let account = chain.chain.account(&address).await.unwrap();
    let valid_until = account.time + 180;
    SignedMessage {
        wallet: address,
        kind: WalletKind::V5r1,
        cell: signed(valid_until),
        seqno: 0,
        valid_until,
        after: account.last.map_or(0, |last| last.lt),
    }
}

#[tokio::test(start_paused = true)]
async fn a_history_that_lags_behind_the_seqno_is_no_verdict() {
    let chain = Ages::new();
    let message = first_message(&chain).await;
    chain.history_behind.store(true, Ordering::SeqCst);
    let executed = message.deliver(&chain).await.unwrap();
    assert_eq!(executed.out_msgs.len(), 1);
    chain.history_behind.store(true, Ordering::SeqCst);
    let lagging = message.resume(&chain).await;
    assert!(matches!(lagging, Err(ChainError::Response { .. })), "{lagging:?}");
    let again = message.resume(&chain).await.unwrap();
    assert_eq!(again.hash, executed.hash);
    assert_eq!(chain.sent.load(Ordering::SeqCst), 1, "it was sent once");
}

#[tokio::test(start_paused = true)]
async fn a_message_of_somebody_else_with_the_same_number_is_one() {
    let chain = Ages::new();
    let message = first_message(&chain).await;
    let other = SignedMessage {
        cell: signed(message.valid_until + 1),
        ..message.clone()
    };
    other.deliver(&chain).await.unwrap();
    let taken = message.resume(&chain).await;
    assert!(matches!(taken, Err(ChainError::SeqnoTaken { .. })), "{taken:?}");
}

#[tokio::test(start_paused = true)]
async fn a_message_counts_as_expired_only_a_while_after_its_end_and_by_one_state() {
    let chain = Ages::new();
    let message = first_message(&chain).await;
    let before = chain.chain.account(&message.wallet).await.unwrap();
    message.deliver(&chain).await.unwrap();
    // Executed, but two answers come from a server that has not seen it, with a time after the end of the message.
    let late = AccountState {
        time: message.valid_until + 10,
        ..before
    };
    *chain.old.lock().unwrap() = vec![late.clone(), late];
    let executed = message.resume(&chain).await.unwrap();
    assert_eq!(executed.out_msgs.len(), 1);
    assert_eq!(
        chain.sent.load(Ordering::SeqCst),
        1,
        "after its end it is not sent again"
    );
}

#[tokio::test(start_paused = true)]
async fn an_expired_message_is_given_up_without_asking_a_server_to_take_it() {
    let chain = Ages::new();
    let message = first_message(&chain).await;
    chain
        .ahead
        .store(180 + crate::limits::EXPIRY_MARGIN + 1, Ordering::SeqCst);
    let gone = message.resume(&chain).await;
    assert!(matches!(gone, Err(ChainError::NotIncluded { .. })), "{gone:?}");
    assert_eq!(chain.sent.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_after_an_attempt_that_may_have_got_through_is_no_verdict() {
    let chain = Ages::new();
    let message = first_message(&chain).await;
    let before = chain.chain.account(&message.wallet).await.unwrap();
    chain.breaks.store(true, Ordering::SeqCst);
    // The first attempt is executed and its answer lost; the second is refused, and the account read lags behind.
    *chain.old.lock().unwrap() = vec![before.clone(), before];
    let executed = message.deliver(&chain).await.unwrap();
    assert_eq!(executed.out_msgs.len(), 1);
    assert!(chain.sent.load(Ordering::SeqCst) >= 2);
}

#[tokio::test]
async fn the_own_repetition_of_a_server_counts_as_an_attempt_too() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = Arc::new(HttpApi::new(&url, None).unwrap());
    let message = first_message(&Ages::new()).await;
    let asked = tokio::spawn(async move { server.send_boc(&message.cell).await });
    let refused = r#"{"ok":false,"code":500,"error":"LITE_SERVER_UNKNOWN: cannot apply external message to current state : External message was not accepted"}"#;
    for answer in [("502 Bad Gateway", "{}"), ("200 OK", refused)] {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 65536];
        let _ = stream.read(&mut request).await.unwrap();
        let head = format!(
            "HTTP/1.1 {}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{}",
            answer.0,
            answer.1.len(),
            answer.1
        );
        stream.write_all(head.as_bytes()).await.unwrap();
    }
    let error = asked.await.unwrap().unwrap_err();
    assert!(!matches!(error, ChainError::MessageRefused { .. }), "{error}");
}
