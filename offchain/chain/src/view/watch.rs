//! Keeps a view of the root contract up to date.

use std::sync::Arc;
use std::time::Duration;

use cocoon_bindings::ton::Address;
use tokio::sync::watch;

use super::RootView;
use crate::ChainError;
use crate::client::SharedChain;

/// Reads the root contract now and again every `every`, until nobody holds the receiver any more.
///
/// The view is read as a whole each time; there are no events to lose. When the chain cannot be reached, the last view
/// stays, and its `time` says how old it is. Receivers are woken only when something but the time changed.
pub async fn watch_root(
    chain: SharedChain,
    root: Address,
    every: Duration,
) -> Result<watch::Receiver<Arc<RootView>>, ChainError> {
    let first = RootView::fetch(chain.as_ref(), &root).await?;
    let (sender, receiver) = watch::channel(Arc::new(first));
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = sender.closed() => return,
                () = tokio::time::sleep(every) => {}
            }
            match RootView::fetch(chain.as_ref(), &root).await {
                Ok(view) => publish(&sender, view),
                Err(error) => tracing::warn!(%root, %error, "root contract cannot be read, the last view stays"),
            }
        }
    });
    Ok(receiver)
}

fn publish(sender: &watch::Sender<Arc<RootView>>, view: RootView) {
    sender.send_if_modified(|current| {
        // A server that is behind must not turn the view back.
        if view.version < current.version || view.time < current.time {
            return false;
        }
        let changed = !view.same_content(current);
        if changed {
            tracing::info!(root = %view.address, version = view.version, "root contract changed");
        }
        *current = Arc::new(view);
        changed
    });
}
