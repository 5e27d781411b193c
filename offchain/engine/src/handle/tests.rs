use super::*;
use crate::options::EngineOptions;
use crate::sampling::Constraint;
use std::sync::mpsc::{Receiver, channel};

/// An engine whose first constraint is compiled when the test says so.
struct Held {
    engine: Box<dyn Engine>,
    preparer: Arc<Preparer>,
}

impl Engine for Held {
    fn card(&self) -> &ModelCard {
        self.engine.card()
    }

    fn submit(&mut self, request: SubmitRequest) -> Result<SequenceId, EngineError> {
        self.engine.submit(request)
    }

    fn preparer(&self) -> Option<Arc<Preparer>> {
        Some(self.preparer.clone())
    }

    fn cancel(&mut self, id: SequenceId) {
        self.engine.cancel(id);
    }

    fn step(&mut self) -> Result<Vec<StepOutput>, EngineError> {
        self.engine.step()
    }

    fn is_idle(&self) -> bool {
        self.engine.is_idle()
    }
}

const SOON: Duration = Duration::from_secs(60);

fn sink() -> (Sink, Receiver<EngineEvent>) {
    let (sender, events) = channel();
    (Box::new(move |event| drop(sender.send(event))), events)
}

fn last(events: &Receiver<EngineEvent>) -> EngineEvent {
    loop {
        match events.recv_timeout(SOON).unwrap() {
            EngineEvent::Output(output) if output.finish_reason.is_none() => {}
            event => return event,
        }
    }
}

fn request(constraint: Option<Constraint>) -> SubmitRequest {
    let mut request = SubmitRequest::chat_of_user("Hello!");
    request.max_tokens = Some(2);
    request.sampling.constraint = constraint;
    request
}

#[test]
fn answers_go_on_while_a_constraint_is_compiled() {
    let folder = tempfile::tempdir().unwrap();
    crate::tiny::write_to(folder.path()).unwrap();
    let engine = crate::load_model(folder.path(), EngineOptions::default()).unwrap();
    let (go_on, held) = channel::<()>();
    let held = Mutex::new(held);
    let words = move || {
        held.lock().unwrap().recv_timeout(SOON).unwrap();
        Vec::new() // which is refused
    };
    let held = Held {
        engine: engine.into_engine(),
        preparer: Arc::new(Preparer::new(Box::new(words), vec![0])),
    };
    let handle = EngineHandle::spawn(Box::new(held), 4).unwrap();
    let (to_slow, slow) = sink();
    let (to_given_up, given_up) = sink();
    let (to_plain, plain) = sink();
    let constraint = || Some(Constraint::choice(["yes"]));
    let _slow = handle.submit(request(constraint()), to_slow).unwrap();
    let ticket = handle.submit(request(constraint()), to_given_up).unwrap();
    let _plain = handle.submit(request(None), to_plain).unwrap();
    assert!(matches!(last(&plain), EngineEvent::Output(_)));
    assert!(slow.try_recv().is_err() && given_up.try_recv().is_err());
    ticket.cancel();
    go_on.send(()).unwrap();
    assert!(matches!(
        last(&slow),
        EngineEvent::Failed(EngineError::Tokenizer { .. })
    ));
    assert!(matches!(last(&given_up), EngineEvent::Failed(EngineError::Cancelled)));
    assert_eq!(handle.load().active, 0);
}
