//! One movement of an asset.

use revm::primitives::{Address, U256};

/// Which interface a movement spoke; the order is that of the Python side's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standard {
    /// The chain's own coin.
    Native,
    /// `Transfer` with an amount.
    Erc20,
    /// `Transfer` with an item.
    Erc721,
    /// `TransferSingle` and `TransferBatch`.
    Erc1155,
    /// `Sent`, `Minted`, `Burned` alone.
    Erc777,
}

/// One movement that stood.
#[derive(Clone, Debug)]
pub struct Transfer {
    /// When.
    pub sequence: u32,
    /// In which frame.
    pub frame: u32,
    /// In which words.
    pub standard: Standard,
    /// Zero for the chain's own coin.
    pub token: Address,
    /// Zero: made here.
    pub from: Address,
    /// Zero: destroyed here.
    pub to: Address,
    /// Smallest units; 1 for an ERC-721 item.
    pub amount: U256,
    /// Which one, of a token that has items.
    pub item: Option<U256>,
}
