//! What a run leaves behind: frames, events and storage accesses.

use std::borrow::Cow;

use revm::bytecode::Bytecode;
use revm::primitives::{Address, B256, Bytes, Log, U256};

/// How a frame was entered. The order is that of the Python side's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// CALL.
    Call,
    /// STATICCALL.
    StaticCall,
    /// DELEGATECALL.
    DelegateCall,
    /// CALLCODE.
    CallCode,
    /// CREATE, or the transaction itself.
    Create,
    /// CREATE2.
    Create2,
    /// SELFDESTRUCT, shown as a call of its own.
    SelfDestruct,
}

/// Opcodes that read the block environment, in the order of `Frame::environment`.
pub const ENVIRONMENT: [&str; 11] = [
    "TIMESTAMP",
    "NUMBER",
    "COINBASE",
    "PREVRANDAO",
    "BASEFEE",
    "GASPRICE",
    "GASLIMIT",
    "BLOCKHASH",
    "ORIGIN",
    "SELFBALANCE",
    "BALANCE",
];

/// One call or creation.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Index of the calling frame; -1 for the root.
    pub parent: i32,
    /// 0 for the root.
    pub depth: u32,
    /// How it was entered.
    pub kind: Kind,
    /// Who entered it.
    pub from: Address,
    /// The account acted on, or whose code was borrowed; None if a creation had no address yet.
    pub to: Option<Address>,
    /// Where the code lies, a delegation followed.
    pub code_address: Option<Address>,
    /// Of the code that ran; None if none did.
    pub code_hash: Option<B256>,
    /// The code that ran, a delegation followed; for a creation it is the input.
    pub code: Option<Bytecode>,
    /// Wei.
    pub value: U256,
    /// Given.
    pub gas: u64,
    /// Of it.
    pub gas_used: u64,
    /// Call data or init code.
    pub input: Bytes,
    /// Return or revert data.
    pub output: Bytes,
    /// geth's words; None if it succeeded.
    pub error: Option<Cow<'static, str>>,
    /// Sequence number at entry.
    pub entered: u32,
    /// Sequence number at exit.
    pub left: u32,
    /// It, or a frame above it, failed.
    pub reverted: bool,
    /// Reads of the block environment by opcode.
    pub environment: [u32; 11],
    /// Gas left when the frame was last seen: on entry, and whenever a child begins.
    pub remaining: u64,
}

/// One event.
#[derive(Clone, Debug)]
pub struct Event {
    /// When.
    pub sequence: u32,
    /// In which frame.
    pub frame: u32,
    /// What was said.
    pub log: Log,
}

/// One storage opcode.
#[derive(Clone, Debug)]
pub struct Access {
    /// When.
    pub sequence: u32,
    /// In which frame.
    pub frame: u32,
    /// SLOAD, SSTORE, TLOAD, TSTORE.
    pub kind: u8,
    /// Whose storage.
    pub address: Address,
    /// Which slot.
    pub slot: U256,
    /// What was read, or written.
    pub value: U256,
    /// What was there before; equals `value` for a read.
    pub previous: U256,
}

impl Frame {
    /// A frame with nothing in it yet.
    pub fn new(kind: Kind) -> Self {
        Self {
            parent: -1,
            depth: 0,
            kind,
            from: Address::ZERO,
            to: None,
            code_address: None,
            code_hash: None,
            code: None,
            value: U256::ZERO,
            gas: 0,
            gas_used: 0,
            input: Bytes::new(),
            output: Bytes::new(),
            error: None,
            entered: 0,
            left: 0,
            reverted: false,
            environment: [0; 11],
            remaining: 0,
        }
    }

    /// True if the code of another account ran on this one's storage.
    pub fn is_borrowing(&self) -> bool {
        matches!(self.kind, Kind::DelegateCall | Kind::CallCode)
    }

    /// The account whose storage the frame acts on.
    pub fn context(&self) -> Option<Address> {
        if self.is_borrowing() { Some(self.from) } else { self.to }
    }
}
