//! A team that governs: who decides, which image, and that everybody signs the same message. That messages are sent, wait and are
//! executed is in `tests/network/tests/stories/governance.rs`.

use super::person::Person;
use crate::network::Network;

pub(crate) fn story(network: &Network) {
    let team: Vec<Person<'_>> = (0..3).map(|_| Person::new(network)).collect();
    let image = "1".repeat(64);

    // Each of them draws a key of their own; the wallets become the signers.
    let wallets: Vec<String> = team
        .iter()
        .map(|signer| {
            signer.reads("wallet new signer");
            signer.reads("wallet address signer").trim().to_owned()
        })
        .collect();
    assert!(wallets[0] != wallets[1] && wallets[1] != wallets[2]);
    let signers: Vec<String> = wallets.iter().map(|wallet| format!("--signer {wallet}")).collect();
    let deploy = format!(
        "governor export --query-id 1 deploy {} --threshold 2 --revoke-threshold 1",
        signers.join(" ")
    );
    let deployments: Vec<_> = team
        .iter()
        .map(|signer| signer.gets(&deploy)["message"].clone())
        .collect();
    assert!(deployments[0]["state_init"].is_string(), "{}", deployments[0]);
    assert!(
        deployments.iter().all(|message| *message == deployments[0]),
        "everybody computes the same governor"
    );

    // The network as it is now does not list the image.
    let listed = |signer: &Person<'_>| signer.gets("root show")["worker_images"].to_string().contains(&image);
    assert!(!listed(&team[0]));

    // Everybody makes the message that lists it, and compares hashes on another way than the one it came.
    let change = |hash: &str| format!("root export --query-id 7 add-image worker {hash}");
    let hashes: Vec<_> = team
        .iter()
        .map(|signer| signer.gets(&change(&image))["message"]["body_hash"].clone())
        .collect();
    assert!(hashes.iter().all(|hash| *hash == hashes[0]));
    let other = format!("2{}", &image[1..]);
    assert_ne!(
        team[0].gets(&change(&other))["message"]["body_hash"],
        hashes[0],
        "another image is another message"
    );

    // Half an image is none, and nothing that was exported was sent.
    let refused = team[1].is_refused(&change("abc"), 2);
    assert!(refused.contains("64 hex digits"), "{refused}");
    assert!(!listed(&team[2]));
}
