//! The code that ran: which accounts ran it on their storage, and whose addresses it names.

use memchr::memmem;
use revm::bytecode::Bytecode;
use revm::bytecode::opcode::{ORIGIN, PUSH1, PUSH32};
use revm::primitives::map::{AddressSet, B256Map};
use revm::primitives::{Address, AddressMap, B256, HashMap, HashSet};

use crate::frame::Frame;
use crate::recorder::Recorder;
use crate::survey::Link;

/// Where each piece of code is found in a trace.
#[derive(Debug, Default)]
pub struct Codes {
    /// Index of the first frame that ran the code with this hash.
    places: B256Map<u32>,
    /// The same, in the order of these frames.
    order: Vec<(B256, u32)>,
    /// Account -> index of a frame for each piece of code that ran on its storage.
    ran: AddressMap<Vec<u32>>,
}

impl Codes {
    /// One pass over the ways of entry, which come in the order of their first frames.
    pub fn new(trace: &Recorder, links: &[Link]) -> Self {
        let mut found = Self::default();
        for link in links {
            let frame = &trace.frames[link.first as usize];
            let Some(hash) = frame.code_hash else { continue };
            let place = *found.places.entry(hash).or_insert_with(|| {
                found.order.push((hash, link.first));
                link.first
            });
            let Some(account) = frame.context() else { continue };
            let ran = found.ran.entry(account).or_default();
            if !ran.contains(&place) {
                ran.push(place);
            }
        }
        found
    }

    /// Hash and first frame of each piece of code, in the order of these frames.
    pub fn order(&self) -> &[(B256, u32)] {
        &self.order
    }

    /// The code with this hash.
    pub fn get<'a>(&self, trace: &'a Recorder, hash: B256) -> Option<&'a [u8]> {
        self.places.get(&hash).map(|place| code(&trace.frames[*place as usize]))
    }

    /// True if `data` stands in a piece of code that ran on the storage of `account`.
    pub fn name(&self, trace: &Recorder, account: Address, data: &[u8]) -> bool {
        let ran = self.ran.get(&account).map_or(&[][..], Vec::as_slice);
        ran.iter().any(|place| memmem::find(code(&trace.frames[*place as usize]), data).is_some())
    }

    /// True if a piece of code that ran on the storage of `account` has the instruction ORIGIN.
    pub fn ask_origin(&self, trace: &Recorder, account: Address) -> bool {
        let ran = self.ran.get(&account).map_or(&[][..], Vec::as_slice);
        ran.iter().any(|place| asks_origin(code(&trace.frames[*place as usize])))
    }

    /// (account, its caller or `sender`, where the code lies) of those whose address stands in code that ran.
    ///
    /// Code that a party lends by delegation names its lender; that alone is not the contract's consent.
    pub fn embedded(&self, trace: &Recorder, links: &[Link], sender: Address) -> Vec<(Address, Address, Address)> {
        let mut known: HashMap<(B256, Address), bool> = HashMap::default();
        let mut names = |hash: B256, party: Address| {
            *known.entry((hash, party)).or_insert_with(|| {
                self.get(trace, hash).is_some_and(|code| memmem::find(code, party.as_slice()).is_some())
            })
        };
        let ran = |link: &Link| {
            let frame = &trace.frames[link.first as usize];
            Some((frame.context()?, frame.code_hash?, frame.code_address))
        };
        let mut asked: HashSet<(B256, Address, Address)> = HashSet::default();
        let mut named: AddressMap<Vec<Address>> = AddressMap::default();
        for link in links {
            let Some((account, hash, place)) = ran(link) else { continue };
            for party in [sender, link.caller] {
                let own = party == account || place == Some(party);
                if asked.insert((hash, account, party)) && !own && names(hash, party) {
                    named.entry(account).or_default().push(party);
                }
            }
        }
        let mut found = Vec::new();
        for (account, hash, place) in links.iter().filter_map(ran) {
            for party in named.get(&account).into_iter().flatten() {
                if names(hash, *party) {
                    found.push((account, *party, place.unwrap_or(account)));
                }
            }
        }
        found
    }
}

/// The code that a frame ran; for a creation its init code.
fn code(frame: &Frame) -> &[u8] {
    frame.code.as_ref().map_or(&frame.input[..], Bytecode::original_byte_slice)
}

/// True if `code` has the instruction ORIGIN, and not only the byte among what it pushes.
fn asks_origin(code: &[u8]) -> bool {
    let mut at = if code.contains(&ORIGIN) { 0 } else { code.len() };
    while let Some(instruction) = code.get(at) {
        match *instruction {
            ORIGIN => return true,
            push @ PUSH1..=PUSH32 => at += 2 + usize::from(push - PUSH1),
            _ => at += 1,
        }
    }
    false
}

/// Accounts that were called and ran code.
pub fn active(trace: &Recorder, links: &[Link]) -> AddressSet {
    let frames = links.iter().map(|link| &trace.frames[link.first as usize]);
    frames.filter(|frame| frame.code_hash.is_some()).filter_map(|frame| frame.to).collect()
}
