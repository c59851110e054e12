"""All that the author of a detector may import; everything else in the gateway can change without notice."""

from gateway.inspection.consent.record import largest_entry
from gateway.inspection.detector import Detector, Family
from gateway.inspection.harm.growth import Growth
from gateway.inspection.harm.loss import Loss, describe_loss
from gateway.inspection.harm.sojourn import Sojourn
from gateway.inspection.market.bent import BentPrice
from gateway.inspection.market.pool import Pair
from gateway.inspection.need import Need
from gateway.inspection.past.effects import Taken, Taking
from gateway.inspection.past.hearsay import Hearsay
from gateway.inspection.past.memory import code_key, signature_key
from gateway.inspection.past.moved import BENT
from gateway.inspection.subject import Inspection
from gateway.inspection.trace.ledger import BURN_ADDRESSES, NATIVE, Asset
from gateway.inspection.trace.reentry import Reentry, StaleView
from gateway.model.facts import Approval, Facts, TokenStandard, Transfer
from gateway.model.finding import Confidence, Finding, Severity
from gateway.model.primitive import ZERO_ADDRESS, Address, Hash32
from gateway.model.trace import CallFrame, FrameKind, Log, SimulationResult, SlotUse, StorageAccess, Trace
from gateway.model.transaction import Transaction
from gateway.model.walk import is_blank

__all__ = [
    "BENT",
    "BURN_ADDRESSES",
    "NATIVE",
    "ZERO_ADDRESS",
    "Address",
    "Approval",
    "Asset",
    "BentPrice",
    "CallFrame",
    "Confidence",
    "Detector",
    "Facts",
    "Family",
    "Finding",
    "FrameKind",
    "Growth",
    "Hash32",
    "Hearsay",
    "Inspection",
    "Log",
    "Loss",
    "Need",
    "Pair",
    "Reentry",
    "Severity",
    "SimulationResult",
    "SlotUse",
    "Sojourn",
    "StaleView",
    "StorageAccess",
    "Taken",
    "Taking",
    "TokenStandard",
    "Trace",
    "Transaction",
    "Transfer",
    "code_key",
    "describe_loss",
    "is_blank",
    "largest_entry",
    "signature_key",
]
