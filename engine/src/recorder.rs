//! What happened during a run, in order, within hard bounds.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use revm::interpreter::InstructionResult;
use revm::primitives::{Address, B256, Bytes, Log, U256};

use crate::frame::{Access, Event, Frame, Kind};

/// Loop iterations between two looks at the clock.
const TICKS: u32 = 1_024;

/// Bounds of one run, shared by all its frames.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Time.
    pub wall_clock: Duration,
    /// Calls and creations.
    pub frames: usize,
    /// Storage opcodes kept; hashes as many.
    pub accesses: usize,
    /// Events.
    pub logs: usize,
    /// Input, output and event data kept, in all.
    pub bytes: usize,
}

/// Collects the trace; lives in the context's `chain` field, where every instruction can reach it.
#[derive(Debug)]
pub struct Recorder {
    /// In the order of entry.
    pub frames: Vec<Frame>,
    /// In order, those of undone frames included.
    pub events: Vec<Event>,
    /// In order.
    pub accesses: Vec<Access>,
    /// Hash and what was hashed, for inputs of 32 and 64 bytes.
    pub preimages: Vec<(B256, Bytes)>,
    /// Which bound stopped the run.
    pub stopped: Option<&'static str>,
    coinbase: Address,
    limits: Limits,
    deadline: Instant,
    ticks: u32,
    bytes: usize,
    sequence: u32,
    open: Vec<u32>,
}

/// Stops the interpreter; the run then ends as truncated.
pub const STOP: InstructionResult = InstructionResult::FatalExternalError;

impl Recorder {
    /// An empty recorder whose clock starts now.
    pub fn new(limits: Limits, coinbase: Address) -> Self {
        Self {
            frames: Vec::with_capacity(16),
            events: Vec::with_capacity(16),
            accesses: Vec::with_capacity(64),
            preimages: Vec::with_capacity(16),
            stopped: None,
            coinbase,
            limits,
            deadline: Instant::now() + limits.wall_clock,
            ticks: TICKS,
            bytes: 0,
            sequence: 0,
            open: Vec::with_capacity(16),
        }
    }

    fn next(&mut self) -> u32 {
        let sequence = self.sequence;
        self.sequence += 1;
        sequence
    }

    /// Ends the run as truncated, for the first reason given.
    pub fn stop(&mut self, reason: &'static str) -> InstructionResult {
        self.stopped.get_or_insert(reason);
        STOP
    }

    fn current(&self) -> u32 {
        self.open.last().copied().unwrap_or_default()
    }

    /// Counts work; looks at the clock now and then.
    #[inline]
    pub fn tick(&mut self, weight: u32) -> Result<(), InstructionResult> {
        if self.ticks > weight {
            self.ticks -= weight;
            return Ok(());
        }
        self.ticks = TICKS;
        self.check_clock()
    }

    #[cold]
    fn check_clock(&mut self) -> Result<(), InstructionResult> {
        if Instant::now() < self.deadline { Ok(()) } else { Err(self.stop("wall clock")) }
    }

    fn keep(&mut self, bytes: usize) -> Result<(), InstructionResult> {
        self.bytes += bytes;
        if self.bytes <= self.limits.bytes { Ok(()) } else { Err(self.stop("output bytes")) }
    }

    /// A frame begins.
    pub fn enter(&mut self, mut frame: Frame) -> Result<(), InstructionResult> {
        if self.frames.len() >= self.limits.frames {
            return Err(self.stop("frames"));
        }
        self.keep(frame.input.len())?;
        self.tick(64)?;
        frame.parent = self.open.last().map_or(-1, |index| *index as i32);
        frame.depth = self.open.len() as u32;
        frame.entered = self.next();
        frame.left = frame.entered;
        frame.remaining = frame.gas;
        self.open.push(self.frames.len() as u32);
        self.frames.push(frame);
        Ok(())
    }

    /// The frame that runs now; None outside of execution.
    pub fn frame(&mut self) -> Option<&mut Frame> {
        let index = *self.open.last()?;
        self.frames.get_mut(index as usize)
    }

    /// The current frame ends.
    pub fn leave(
        &mut self,
        gas_used: u64,
        output: Bytes,
        error: Option<Cow<'static, str>>,
    ) -> Result<(), InstructionResult> {
        let left = self.next();
        let kept = self.keep(output.len());
        if let Some(index) = self.open.pop() {
            let frame = &mut self.frames[index as usize];
            frame.gas_used = gas_used;
            frame.output = output;
            frame.error = error;
            frame.left = left;
        }
        kept
    }

    /// A contract gives itself up; a frame of its own, as geth shows it.
    pub fn self_destruct(&mut self, from: Address, to: Address, value: U256) -> Result<(), InstructionResult> {
        self.enter(Frame { from, to: Some(to), value, ..Frame::new(Kind::SelfDestruct) })?;
        self.leave(0, Bytes::new(), None)
    }

    /// A storage opcode ran.
    #[inline]
    pub fn access(
        &mut self,
        kind: u8,
        address: Address,
        slot: U256,
        value: U256,
        previous: U256,
    ) -> Result<(), InstructionResult> {
        if self.accesses.len() >= self.limits.accesses {
            return Err(self.stop("accesses"));
        }
        let (sequence, frame) = (self.next(), self.current());
        self.accesses.push(Access { sequence, frame, kind, address, slot, value, previous });
        Ok(())
    }

    /// An event was emitted.
    pub fn event(&mut self, log: Log) -> Result<(), InstructionResult> {
        if self.events.len() >= self.limits.logs {
            return Err(self.stop("logs"));
        }
        self.keep(log.data.data.len())?;
        let (sequence, frame) = (self.next(), self.current());
        self.events.push(Event { sequence, frame, log });
        Ok(())
    }

    /// A few bytes were hashed: the key of a slot, a leaf, or the terms that a contract keeps only as their hash.
    pub fn preimage(&mut self, hash: B256, bytes: &[u8]) -> Result<(), InstructionResult> {
        if self.preimages.len() >= self.limits.accesses {
            return Err(self.stop("preimages"));
        }
        self.keep(bytes.len())?;
        self.preimages.push((hash, Bytes::copy_from_slice(bytes)));
        Ok(())
    }

    /// The block environment was read; `opcode` indexes `ENVIRONMENT`.
    #[inline]
    pub fn environment(&mut self, opcode: usize) {
        if let Some(frame) = self.frame() {
            frame.environment[opcode] += 1;
        }
    }

    /// True if `address` is the one that collects the block's fees.
    pub fn is_coinbase(&self, address: Address) -> bool {
        address == self.coinbase
    }

    /// Closes what a stopped run left open and marks every frame that was undone.
    pub fn finish(&mut self) {
        let mut remaining = 0u64;
        while let Some(index) = self.open.pop() {
            let left = self.next();
            let reason = self.stopped.unwrap_or("stopped");
            let frame = &mut self.frames[index as usize];
            remaining = remaining.saturating_add(frame.remaining);
            frame.left = left;
            frame.gas_used = frame.gas.saturating_sub(remaining);
            frame.error = Some(Cow::Owned(format!("stopped: {reason}")));
        }
        let truncated = self.stopped.is_some();
        for index in 0..self.frames.len() {
            let above = usize::try_from(self.frames[index].parent).is_ok_and(|parent| self.frames[parent].reverted);
            let frame = &mut self.frames[index];
            let failed = match &frame.error {
                Some(error) => !(truncated && error.starts_with("stopped: ")),
                None => false,
            };
            frame.reverted = above || failed;
        }
    }
}
