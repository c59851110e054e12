//! Storage accesses folded to one row a slot: what detectors ask of storage without a Python object for each opcode.

use revm::primitives::{Address, HashMap, HashSet, U256};

use crate::recorder::Recorder;

/// `kind` of an `Access`: SLOAD, SSTORE; beyond lies transient storage.
pub const SSTORE: u8 = 1;

/// All that became of one slot, as the gateway's `SlotUse`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotUse {
    /// Whose storage.
    pub address: Address,
    /// Which slot.
    pub slot: U256,
    /// Value when the transaction first touched it.
    pub before: U256,
    /// An SSTORE touched it, whatever became of it.
    pub written: bool,
    /// Frame and sequence number of the last SSTORE that changed the value and stood.
    pub changed: Option<(u32, u32)>,
}

/// A slot of an account as one piece of bytes, which is hashed at once.
fn place(address: Address, slot: U256) -> [u8; 52] {
    let mut made = [0; 52];
    made[..20].copy_from_slice(address.as_slice());
    made[20..].copy_from_slice(&slot.to_be_bytes::<32>());
    made
}

impl Recorder {
    /// Slots that some SSTORE gave another value, if only in a frame that was undone.
    pub fn changed_slots(&self) -> HashSet<(Address, U256)> {
        let changes = self.accesses.iter().filter(|access| access.kind == SSTORE && access.value != access.previous);
        changes.map(|access| (access.address, access.slot)).collect()
    }

    /// Each touched slot once, in the order of first touch; one pass.
    pub fn slots(&self) -> Vec<SlotUse> {
        let mut rows: Vec<SlotUse> = Vec::new();
        let mut places: HashMap<[u8; 52], usize> = HashMap::default();
        let mut last = 0;
        for access in self.accesses.iter().filter(|access| access.kind <= SSTORE) {
            // a slot is often read and written several times in a row
            let again = rows.get(last).is_some_and(|row| row.slot == access.slot && row.address == access.address);
            if !again {
                last = *places.entry(place(access.address, access.slot)).or_insert_with(|| {
                    rows.push(SlotUse {
                        address: access.address,
                        slot: access.slot,
                        before: access.previous,
                        written: false,
                        changed: None,
                    });
                    rows.len() - 1
                });
            }
            if access.kind == SSTORE {
                let row = &mut rows[last];
                row.written = true;
                if access.value != access.previous && !self.frames[access.frame as usize].reverted {
                    row.changed = Some((access.frame, access.sequence));
                }
            }
        }
        rows
    }
}
