//! Forks by name, and the precompiles that go with them.

use std::sync::OnceLock;

use revm::precompile::{PrecompileSpecId, Precompiles, secp256r1};
use revm::primitives::hardfork::SpecId;

/// The rules of a fork, by the names of the gateway's `Fork`.
pub fn spec_by_name(name: &str) -> Option<SpecId> {
    Some(match name {
        "Frontier" => SpecId::FRONTIER,
        "Homestead" => SpecId::HOMESTEAD,
        "TangerineWhistle" => SpecId::TANGERINE,
        "SpuriousDragon" => SpecId::SPURIOUS_DRAGON,
        "Byzantium" | "Constantinople" => SpecId::BYZANTIUM,
        "Petersburg" => SpecId::PETERSBURG,
        "Istanbul" => SpecId::ISTANBUL,
        "Berlin" => SpecId::BERLIN,
        "London" => SpecId::LONDON,
        "Paris" => SpecId::MERGE,
        "Shanghai" => SpecId::SHANGHAI,
        "Cancun" => SpecId::CANCUN,
        "Prague" => SpecId::PRAGUE,
        "Osaka" => SpecId::OSAKA,
        _ => return None,
    })
}

/// The precompiles of `spec`; with `p256`, RIP-7212 at 0x100 where the fork itself does not bring it.
pub fn precompiles(spec: SpecId, p256: bool) -> &'static Precompiles {
    static WITH_P256: [OnceLock<Precompiles>; SpecId::OSAKA as usize] =
        [const { OnceLock::new() }; SpecId::OSAKA as usize];
    let plain = Precompiles::new(PrecompileSpecId::from_spec_id(spec));
    match WITH_P256.get(spec as usize) {
        Some(cell) if p256 => cell.get_or_init(|| {
            let mut extended = plain.clone();
            extended.extend([secp256r1::P256VERIFY]);
            extended
        }),
        _ => plain,
    }
}
