//! Who takes part in a transaction.

use revm::primitives::map::AddressSet;
use revm::primitives::{Address, B256};

use crate::recorder::Recorder;
use crate::survey::Link;
use crate::topic::{self, Shape};

/// Everybody who takes part: who calls or is called, who holds or receives tokens, and the sender.
pub fn parties(trace: &Recorder, links: &[Link], sender: Address) -> AddressSet {
    let mut found = AddressSet::default();
    found.insert(sender);
    for link in links {
        let frame = &trace.frames[link.first as usize];
        found.insert(frame.from);
        found.extend(frame.to);
    }
    for event in &trace.events {
        if let [_, from, to] = event.log.topics()
            && topic::shape(&event.log) == Some(Shape::Transfer)
        {
            found.insert(low(from));
            found.insert(low(to));
        }
    }
    found
}

fn low(topic: &B256) -> Address {
    Address::from_slice(&topic[12..])
}
