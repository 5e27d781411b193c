//! An operator looks after a worker: is it well, what does it earn, a new price, a pause for repairs.

use super::person::Person;
use crate::network::Network;

pub(crate) fn story(network: &Network) {
    let operator = Person::new(network);
    let file = format!("{}/worker.toml", operator.its("NET"));

    // Is everything well?
    operator.reads(&format!("config check worker {file}"));
    assert_eq!(operator.gets("worker status")["state"], "ready");
    assert_eq!(operator.gets("doctor network")["is_whole"], true);
    let peers = operator.gets("worker peers");
    assert!(peers["connections"].as_u64().unwrap() >= 1, "{peers}");

    // What did it earn?
    let earned = operator.reads(&format!("worker earnings {}", operator.its("WORKER")));
    assert!(earned.contains("TON"), "{earned}");
    let claims = operator.gets("worker claims");
    assert!(claims[0]["tokens"].as_u64().unwrap() > 0, "{claims}");

    // A lower price counts without a restart.
    let shown = |key: &str| {
        let shown = operator.gets(&format!("config show worker {file}"));
        let settings = shown["settings"].as_array().unwrap().clone();
        let found = settings.into_iter().find(|setting| setting["key"] == key);
        found.unwrap_or_else(|| panic!("{key} is not shown: {shown}"))
    };
    assert_eq!(shown("models.0.coefficient")["value"], 1000);
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("coefficient = 1000", "coefficient = 900")).unwrap();
    assert_eq!(shown("models.0.coefficient")["value"], 900);
    let reloaded = operator.gets("worker reload");
    assert!(reloaded["applied"].to_string().contains("coefficient"), "{reloaded}");
    operator.waits_until("the lower price is quoted", || {
        operator.types("quote --max-coefficient 900").status.success()
    });

    // Repairs: no new work, then again.
    operator.reads("worker disable");
    operator.waits_until("nobody serves", || {
        let told = operator.types("quote");
        told.status.code() == Some(5) && String::from_utf8_lossy(&told.stderr).contains("\nhint: ")
    });
    operator.reads("worker enable");
    operator.waits_until("the worker serves again", || {
        operator.types("chat --max-tokens 8 Hello").status.success()
    });

    // The proxy's operator takes the worker out of the choice instead, and back.
    let worker = operator.its("WORKER_OWNER");
    operator.reads(&format!("proxy drain --worker {worker}"));
    assert!(
        operator.gets("proxy peers")["workers"][0]["draining"]
            .as_bool()
            .unwrap()
    );
    operator.reads(&format!("proxy enable --worker {worker}"));
    let refused = operator.is_refused("worker status --socket nowhere.sock", 3);
    assert!(refused.contains("\nhint: "), "{refused}");

    // The end: what runs may end, and the daemon with it, whose socket is gone then.
    assert_eq!(operator.gets("worker drain")["state"], "draining");
    operator.waits_until("the worker has ended", || {
        operator.types("worker status").status.code() == Some(3)
    });
}
