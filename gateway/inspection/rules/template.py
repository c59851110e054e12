"""The rule that an author begins with."""

TEMPLATE = """\
id: example-rule
title: More than a tenth of the vault leaves at once
description: >
  The vault pays out of a buffer; nobody has a reason to take a tenth of everything in one transaction.
status: experimental        # experimental, stable or deprecated; only a stable rule may enforce
mode: shadow                # enforce, shadow (recorded, holds nothing) or off
severity: high              # info, low, medium, high or critical
confidence: high            # low, medium or high; high severity with medium confidence is held
owner: Vault team, security@vault.example
# expires: 2027-06-30
scope:
  contracts: [0x00000000000000000000000000000000000000a1]   # the rule looks nowhere else
  # selectors: [withdraw(uint256)]
  # chains: [8453]
lists:
  guardians: [0x00000000000000000000000000000000000000b1]
macros:
  paid_out: token == usdc and from in contracts
detection:
  usdc: 0x00000000000000000000000000000000000000c1
  vault: 0x00000000000000000000000000000000000000a1
  amount_out: sum(transfers, amount, paid_out)
  share: share_lost(vault, usdc, 10000)
  condition: amount_out > units(100000, 6) and share > 1000
exceptions:
  - transaction.sender in guardians
summary: "{amount_out} units of {usdc} leave the vault, {share} hundredths of a percent of what it has."
false_positives: [A migration that governance announced.]
tests:
  - name: a fifth leaves
    expect: fires
    held:
      - {holder: 0x00000000000000000000000000000000000000a1, token: 0x00000000000000000000000000000000000000c1, amount: 1_000_000_000_000}
    transfers:
      - {token: 0x00000000000000000000000000000000000000c1, from: 0x00000000000000000000000000000000000000a1, to: 0x00000000000000000000000000000000000000d1, amount: 200_000_000_000}
  - name: a guardian moves the same
    expect: silent
    transaction: {sender: 0x00000000000000000000000000000000000000b1}
    held:
      - {holder: 0x00000000000000000000000000000000000000a1, token: 0x00000000000000000000000000000000000000c1, amount: 1_000_000_000_000}
    transfers:
      - {token: 0x00000000000000000000000000000000000000c1, from: 0x00000000000000000000000000000000000000a1, to: 0x00000000000000000000000000000000000000d1, amount: 200_000_000_000}
"""  # noqa: E501 - a line of a rule's test is one transfer
"""Passes `stopgate rules check`; a test sees to it."""
