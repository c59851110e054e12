//! The call tree seen from above: how accounts entered each other, and who came back while it was still open.

use revm::primitives::{Address, AddressMap, HashMap};

use crate::frame::Frame;
use crate::recorder::Recorder;

/// One way in which an account entered another, as the gateway's `Link`.
#[derive(Clone, Debug)]
pub struct Link {
    /// Index of the first such frame.
    pub first: u32,
    /// Who called; for borrowed code, who called the borrower.
    pub caller: Address,
    /// How often.
    pub times: u32,
}

/// A frame on an account that was open already, with another account in between.
#[derive(Clone, Copy, Debug)]
pub struct Comeback {
    /// Which.
    pub account: Address,
    /// Its outermost open frame.
    pub outer: u32,
    /// The frame that came back.
    pub inner: u32,
}

/// A way of entry as one piece of bytes, which is hashed and compared several times faster than its parts.
type Way = [u8; 114];

/// The kind, which parts there are, and the parts themselves.
fn way(frame: &Frame, caller: Address) -> Way {
    let given = [frame.to.is_some(), frame.code_address.is_some(), frame.code_hash.is_some()];
    let mut made = [0; 114];
    made[0] = frame.kind as u8;
    made[1] = given.iter().fold(0, |bits, given| bits << 1 | u8::from(*given));
    made[2..22].copy_from_slice(frame.from.as_slice());
    made[22..42].copy_from_slice(frame.to.unwrap_or_default().as_slice());
    made[42..62].copy_from_slice(frame.code_address.unwrap_or_default().as_slice());
    made[62..82].copy_from_slice(caller.as_slice());
    made[82..].copy_from_slice(frame.code_hash.unwrap_or_default().as_slice());
    made
}

impl Recorder {
    /// Each way of entry once, in the order of the first frame; one pass.
    pub fn links(&self) -> Vec<Link> {
        let mut rows: Vec<Link> = Vec::new();
        let mut places: HashMap<Way, usize> = HashMap::default();
        let mut callers: Vec<Address> = Vec::with_capacity(self.frames.len());
        for (index, frame) in self.frames.iter().enumerate() {
            let above = usize::try_from(frame.parent).ok().filter(|_| frame.is_borrowing());
            let caller = above.map_or(frame.from, |parent| callers[parent]);
            callers.push(caller);
            let place = *places.entry(way(frame, caller)).or_insert_with(|| {
                rows.push(Link { first: index as u32, caller, times: 0 });
                rows.len() - 1
            });
            rows[place].times += 1;
        }
        rows
    }

    /// Every return into an open account, in the order of entry; one pass with a stack.
    pub fn comebacks(&self) -> Vec<Comeback> {
        let mut found = Vec::new();
        // (frame, account, position where its unbroken run of frames begins)
        let mut stack: Vec<(usize, Option<Address>, usize)> = Vec::new();
        let mut open: AddressMap<Vec<usize>> = AddressMap::default();
        for (index, frame) in self.frames.iter().enumerate() {
            while let Some(&(top, account, _)) = stack.last()
                && i64::from(frame.parent) != top as i64
            {
                stack.pop();
                if let Some(positions) = account.and_then(|account| open.get_mut(&account)) {
                    positions.pop();
                }
            }
            let account = frame.context();
            let position = stack.len();
            let mut run = position;
            if let Some(&(_, above, start)) = stack.last()
                && above == account
            {
                run = start;
            }
            if let Some(account) = account {
                let positions = open.entry(account).or_default();
                if let Some(&outermost) = positions.first()
                    && outermost < run
                {
                    found.push(Comeback { account, outer: stack[outermost].0 as u32, inner: index as u32 });
                }
                positions.push(position);
            }
            stack.push((index, account, run));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::frame::Kind;
    use crate::recorder::Limits;

    const USER: Address = Address::repeat_byte(1);
    const TOOL: Address = Address::repeat_byte(2);
    const VAULT: Address = Address::repeat_byte(3);

    fn entered(parent: i32, from: Address, to: Address, kind: Kind) -> Frame {
        Frame { parent, from, to: Some(to), ..Frame::new(kind) }
    }

    fn trace(frames: Vec<Frame>) -> Recorder {
        let limits = Limits { wall_clock: Duration::from_secs(1), frames: 9, accesses: 0, logs: 0, bytes: 0 };
        let mut recorder = Recorder::new(limits, Address::ZERO);
        recorder.frames = frames;
        recorder
    }

    #[test]
    fn a_contract_comes_back_only_with_another_one_in_between() {
        let frames = vec![
            entered(-1, USER, VAULT, Kind::Call),
            entered(0, VAULT, VAULT, Kind::Call),
            entered(0, VAULT, TOOL, Kind::Call),
            entered(2, TOOL, VAULT, Kind::Call),
            entered(3, VAULT, TOOL, Kind::DelegateCall),
        ];
        let found: Vec<_> =
            trace(frames).comebacks().iter().map(|back| (back.account, back.outer, back.inner)).collect();
        assert_eq!(found, [(VAULT, 0, 3), (VAULT, 0, 4)]);
    }

    #[test]
    fn code_that_is_borrowed_has_the_borrower_s_caller() {
        let frames = vec![
            entered(-1, USER, VAULT, Kind::Call),
            entered(0, VAULT, TOOL, Kind::DelegateCall),
            entered(0, VAULT, TOOL, Kind::DelegateCall),
            entered(0, VAULT, TOOL, Kind::Call),
        ];
        let found: Vec<_> = trace(frames).links().iter().map(|link| (link.first, link.caller, link.times)).collect();
        assert_eq!(found, [(0, USER, 1), (1, USER, 2), (3, VAULT, 1)]);
    }
}
