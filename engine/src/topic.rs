//! The events that facts are read from.

use revm::primitives::{B256, Log, b256};

/// `Transfer(address,address,uint256)`
const TRANSFER: B256 = b256!("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef");
/// `Approval(address,address,uint256)`
const APPROVAL: B256 = b256!("8c5be1e5ebec7d5bd14f71427d1e84f3dd0314c0f7b2291e5b200ac8c7c3b925");
/// `ApprovalForAll(address,address,bool)`
const APPROVAL_FOR_ALL: B256 = b256!("17307eab39ab6107e8899845ad3d59bd9653f200f220920489ca2b5937696c31");
/// `TransferSingle(address,address,address,uint256,uint256)`
const SINGLE: B256 = b256!("c3d58168c5ae7397731d063d5bbf3d657854427343f4c083240f7aacaa2d0f62");
/// `TransferBatch(address,address,address,uint256[],uint256[])`
const BATCH: B256 = b256!("4a39dc06d4c0dbc64b70af90fd698a233a518aa5d07e595d983b8c0526c8f7fb");
/// `Deposit(address,uint256)`
const DEPOSIT: B256 = b256!("e1fffcc4923d04b559f4d29a8bfc6cda04eb5b0d3c460751c2402c5c5cc9109c");
/// `Withdrawal(address,uint256)`
const WITHDRAWAL: B256 = b256!("7fcf532c15f0a6db0bd6d0e038bea71d30d808c7d98cb3bf7268a95bf5081b65");
/// `Sent(address,address,address,uint256,bytes,bytes)`
const SENT: B256 = b256!("06b541ddaa720db2b10a4d0cdac39b8d360425fc073085fac19bc82614677987");
/// `Minted(address,address,uint256,bytes,bytes)`
const MINTED: B256 = b256!("2fe5be0146f74c5bce36c0b80911af6c7d86ff27e89d5cfa61fc681327954e5d");
/// `Burned(address,address,uint256,bytes,bytes)`
const BURNED: B256 = b256!("a78a9be3a7b862d26933ad85fb11d80ef66b8f972d7cbba06621d583943a4098");
/// `Sync(uint112,uint112)`
const SYNC: B256 = b256!("1c411e9a96e071241c2f21f7726b17ae89e3cab4c78be50e062b03a9fffbbad1");

/// What an event may mean, by its first topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// ERC-20 or ERC-721.
    Transfer,
    /// A wrapped coin, `entered` or left.
    Wrapping {
        /// Coin was put in.
        entered: bool,
    },
    /// ERC-1155.
    Single,
    /// ERC-1155.
    Batch,
    /// ERC-20 or ERC-721.
    Approval,
    /// ERC-721 or ERC-1155.
    ApprovalForAll,
    /// ERC-777.
    Sent,
    /// ERC-777.
    Minted,
    /// ERC-777.
    Burned,
    /// A pair's reserves.
    Sync,
}

/// The shape of an event; None if no fact is read from it.
pub fn shape(log: &Log) -> Option<Shape> {
    Some(match *log.data.topics().first()? {
        TRANSFER => Shape::Transfer,
        APPROVAL => Shape::Approval,
        APPROVAL_FOR_ALL => Shape::ApprovalForAll,
        SINGLE => Shape::Single,
        BATCH => Shape::Batch,
        DEPOSIT => Shape::Wrapping { entered: true },
        WITHDRAWAL => Shape::Wrapping { entered: false },
        SENT => Shape::Sent,
        MINTED => Shape::Minted,
        BURNED => Shape::Burned,
        SYNC => Shape::Sync,
        _ => return None,
    })
}
