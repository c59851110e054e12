//! The call tree seen from above: how accounts entered each other, and who came back while it was still open.

use revm::primitives::{Address, AddressMap, B256, HashMap};

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

type Way = (u8, Address, Option<Address>, Option<Address>, Option<B256>, Address);

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
            let way = (frame.kind as u8, frame.from, frame.to, frame.code_address, frame.code_hash, caller);
            let place = *places.entry(way).or_insert_with(|| {
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
