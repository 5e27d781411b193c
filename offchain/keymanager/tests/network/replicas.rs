//! Replication, first start, backup and restore.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::time::Duration;

use crate::common::{KEY_MANAGER, Replica, World, image};
use cocoon_bindings::units::PublicKey;
use cocoon_keymanager::{
    BackupConfig, BackupProblem, KeyManagerConfig, KeyManagerError, OwnerKey, ShareFile, Start, Status, give_shares,
    start_with,
};
use cocoon_runner::seal::SealError;
use ed25519_dalek::SigningKey;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

const LIMIT: Duration = Duration::from_secs(60);

async fn worker_key(world: &World, id: PublicKey, replica: &Replica) -> SigningKey {
    let asker = world.asker("worker", id, &[replica.address()]);
    let key = world.key("owner", "workers", "a");
    key.load(Some(&asker), "worker", "wallet").await.unwrap()
}

async fn get(replica: &Replica, path: &str) -> (u16, String) {
    let mut stream = tokio::net::TcpStream::connect(replica.running.http).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let code = text.split(' ').nth(1).unwrap().parse().unwrap();
    (code, text.split_once("\r\n\r\n").unwrap().1.to_owned())
}

async fn status(replica: &Replica) -> Status {
    serde_json::from_str(&get(replica, "/").await.1).unwrap()
}

/// Three owners of whom two give the secret back.
fn owners() -> (Vec<OwnerKey>, BackupConfig) {
    let keys: Vec<OwnerKey> = (1..=3)
        .map(|byte| OwnerKey::new(Zeroizing::new([byte; 32])).unwrap())
        .collect();
    let owners = keys.iter().map(OwnerKey::public).collect();
    (keys, BackupConfig { threshold: 2, owners })
}

async fn shares(replica: &Replica) -> Vec<ShareFile> {
    serde_json::from_str(&get(replica, "/backup").await.1).unwrap()
}

#[tokio::test]
async fn a_second_replica_gets_the_secret_from_the_first_and_goes_on_without_it() {
    let world = World::new();
    let first = world.first().await;
    let id = first.id();
    let key = worker_key(&world, id, &first).await;
    let second = world
        .replica(&world.config(Start::Join, Some(id), &[first.address()]))
        .await;
    tokio::time::timeout(LIMIT, second.running.ready()).await.unwrap();
    assert_eq!(second.id(), id);
    assert_eq!(
        (status(&first).await.secrets_given, status(&second).await.state.as_str()),
        (1, "ready")
    );
    first.end().await;
    assert_eq!(worker_key(&world, id, &second).await, key);
    // The first comes back from the second.
    let again = world
        .replica(&world.config(Start::Join, Some(id), &[second.address()]))
        .await;
    tokio::time::timeout(LIMIT, again.running.ready()).await.unwrap();
    assert_eq!(worker_key(&world, id, &again).await, key);
    second.end().await;
    again.end().await;
}

#[tokio::test]
async fn silence_of_the_others_never_makes_a_second_secret() {
    let world = World::new();
    let lonely = world
        .replica(&world.config(Start::Join, None, &["127.0.0.1:1".to_owned()]))
        .await;
    assert!(
        tokio::time::timeout(Duration::from_secs(3), lonely.running.ready())
            .await
            .is_err()
    );
    assert_eq!(status(&lonely).await.state, "waiting for another replica");
    assert_eq!(get(&lonely, "/health").await.0, 503);
    assert_eq!(get(&lonely, "/backup").await.0, 503);
    lonely.end().await;
}

#[tokio::test]
async fn a_first_start_is_refused_where_another_replica_has_a_secret() {
    let world = World::new();
    let first = world.first().await;
    let config = world.config(Start::New, None, &[first.address()]);
    let refused = start_with(&config, world.parts(Some(KEY_MANAGER)), CancellationToken::new()).await;
    let Err(KeyManagerError::Exists { id, .. }) = refused else {
        panic!("a second secret was drawn: {refused:?}")
    };
    assert_eq!(id, first.id());
    first.end().await;
}

#[tokio::test]
async fn a_first_start_is_refused_where_another_replica_answers_and_does_not_say() {
    let world = World::new();
    let first = world.first().await;
    // The other one believes our first replica, which does not believe it.
    let mut config = world.config(Start::New, None, &[first.address()]);
    config.replica_images.push(image(KEY_MANAGER));
    let refused = start_with(&config, world.parts(Some("keymanager-2")), CancellationToken::new()).await;
    assert!(matches!(refused, Err(KeyManagerError::Replica(_))), "{refused:?}");
    // One that has no secret itself, and one that is not there, stand in nobody's way.
    let empty = world
        .replica(&world.config(Start::Join, None, &["127.0.0.1:1".to_owned()]))
        .await;
    let peers = [empty.address(), "127.0.0.1:1".to_owned()];
    let second = world.replica(&world.config(Start::New, None, &peers)).await;
    assert_ne!(second.id(), first.id());
    for replica in [first, empty, second] {
        replica.end().await;
    }
}

#[tokio::test]
async fn a_replica_that_is_asked_to_stop_takes_no_more_questions() {
    let world = World::new();
    let replica = world.first().await;
    let policy = cocoon_ratls::PeerPolicy::attested(|found| *found == image(KEY_MANAGER));
    let connector = world.connector(Some(KEY_MANAGER), policy);
    let link = cocoon_runner::seal::KeyLink::open(&connector, &replica.address())
        .await
        .unwrap();
    let question = cocoon_protocol::message::KeyQuery::from(cocoon_protocol::key::GetKeyRoot);
    link.ask(&question).await.unwrap();
    tokio::time::timeout(LIMIT, replica.end()).await.unwrap();
    assert!(link.ask(&question).await.is_err());
}

#[tokio::test]
async fn a_replica_of_another_image_gets_the_secret_only_if_it_is_listed() {
    let world = World::new();
    let first = world.first().await;
    let config = |peers: &[String]| world.config(Start::Join, Some(first.id()), peers);
    let start = async |config: &KeyManagerConfig| {
        let stop = CancellationToken::new();
        let running = start_with(config, world.parts(Some("keymanager-2")), stop.clone())
            .await
            .unwrap();
        Replica { running, stop }
    };
    let mut trusting = config(&[first.address()]);
    trusting.replica_images.push(image(KEY_MANAGER));
    let refused = start(&trusting).await;
    assert!(
        tokio::time::timeout(Duration::from_secs(3), refused.running.ready())
            .await
            .is_err()
    );
    refused.end().await;

    let mut listing = config(&[first.address()]);
    listing.replica_images.push(image("keymanager-2"));
    let second = world.replica(&listing).await;
    tokio::time::timeout(LIMIT, second.running.ready()).await.unwrap();
    let mut trusting = config(&[second.address()]);
    trusting.replica_images.push(image(KEY_MANAGER));
    let taken = start(&trusting).await;
    tokio::time::timeout(LIMIT, taken.running.ready()).await.unwrap();
    for replica in [first, second, taken] {
        replica.end().await;
    }
}

#[tokio::test]
async fn a_secret_of_another_id_is_not_taken() {
    let world = World::new();
    let first = world.first().await;
    let config = world.config(Start::Join, Some(PublicKey::new([9; 32])), &[first.address()]);
    let other = world.replica(&config).await;
    assert!(
        tokio::time::timeout(Duration::from_secs(3), other.running.ready())
            .await
            .is_err()
    );
    other.end().await;
    first.end().await;
}

#[tokio::test]
async fn enough_shares_restore_the_same_keys_and_one_fewer_does_not() {
    let world = World::new();
    let (keys, backup) = owners();
    let mut config = world.config(Start::New, None, &[]);
    config.backup = Some(backup);
    let first = world.replica(&config).await;
    let id = first.id();
    let key = worker_key(&world, id, &first).await;
    let files = shares(&first).await;
    assert_eq!((files.len(), files[0].id, files[0].simulated), (3, id, true));
    first.end().await;

    let restoring = world.replica(&world.config(Start::Restore, Some(id), &[])).await;
    let images = [image(KEY_MANAGER)];
    let give = async |files: &[ShareFile], keys: &[OwnerKey]| {
        give_shares(&restoring.address(), files, keys, world.trust.store(), &images).await
    };
    let given = give(&files[2..], &keys).await.unwrap();
    assert_eq!(
        (given.have, given.need, given.simulated, given.image),
        (1, 2, true, Some(images[0]))
    );
    // The same share again, and a worker that asks meanwhile.
    assert_eq!(give(&files[2..], &keys).await.unwrap().have, 1);
    assert_eq!(status(&restoring).await.state, "waiting for shares");
    let asker = world.asker("worker", id, &[restoring.address()]);
    let managed = world.key("owner", "workers", "a");
    let early = managed.load(Some(&asker), "worker", "wallet");
    assert!(
        tokio::time::timeout(Duration::from_secs(3), early).await.is_err(),
        "no key without the secret"
    );

    let given = give(&files[..1], &keys).await.unwrap();
    assert_eq!((given.have, given.need), (2, 2));
    tokio::time::timeout(LIMIT, restoring.running.ready()).await.unwrap();
    assert_eq!(restoring.id(), id);
    assert_eq!(worker_key(&world, id, &restoring).await, key);
    // It takes no more shares, and strangers no longer get a connection.
    let refused = give(&files[1..2], &keys).await.unwrap_err();
    assert!(
        matches!(refused, KeyManagerError::Replica(SealError::Link(_))),
        "{refused:?}"
    );
    restoring.end().await;
}

#[tokio::test]
async fn shares_of_another_key_manager_are_refused_and_named() {
    let world = World::new();
    let (keys, backup) = owners();
    let mut config = world.config(Start::New, None, &[]);
    config.backup = Some(backup);
    let (first, other) = (world.replica(&config).await, world.replica(&config).await);
    let (files, theirs) = (shares(&first).await, shares(&other).await);
    let restoring = world
        .replica(&world.config(Start::Restore, Some(first.id()), &[]))
        .await;
    let images = [image(KEY_MANAGER)];
    let to = restoring.address();
    let refused = give_shares(&to, &theirs, &keys, world.trust.store(), &images)
        .await
        .unwrap_err();
    let KeyManagerError::Replica(SealError::Refused { message, .. }) = refused else {
        panic!("{refused:?}")
    };
    assert!(message.contains(&other.id().to_string()), "{message}");
    // Mixed files are found before anybody is connected.
    let mixed = [files[0].clone(), theirs[1].clone()];
    let refused = give_shares("127.0.0.1:1", &mixed, &keys, world.trust.store(), &images).await;
    assert!(matches!(
        refused,
        Err(KeyManagerError::Backup(BackupProblem::OtherBackup))
    ));
    // A replica of another image sees no share.
    let refused = give_shares(&to, &files, &keys, world.trust.store(), &[image("worker")]).await;
    assert!(matches!(
        refused,
        Err(KeyManagerError::Replica(SealError::Connection(_)))
    ));
    assert_eq!(status(&restoring).await.state, "waiting for shares");
    for replica in [first, other, restoring] {
        replica.end().await;
    }
}

#[tokio::test]
async fn every_replica_gives_the_same_backup_and_its_owners_are_those_of_the_configuration() {
    let world = World::new();
    let (_, backup) = owners();
    let mut config = world.config(Start::New, None, &[]);
    config.backup = Some(backup.clone());
    let first = world.replica(&config).await;
    let mut config = world.config(Start::Join, Some(first.id()), &[first.address()]);
    config.backup = Some(backup.clone());
    let second = world.replica(&config).await;
    tokio::time::timeout(LIMIT, second.running.ready()).await.unwrap();
    let (one, other) = (shares(&first).await, shares(&second).await);
    assert_eq!(one[0].backup().unwrap(), other[0].backup().unwrap());
    let named: Vec<_> = one.iter().map(|file| file.owner).collect();
    assert_eq!(named, backup.owners);
    first.end().await;
    second.end().await;
}
