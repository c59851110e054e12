//! The native EVM of stopgate: revm, a recorder that sees every frame, and a world that is cheap to fork.
//!
//! The Python side sees `World`, `Outcome`, `Wanted`, `Words` and `decode`; everything else stays here.

mod bare;
mod change;
mod codes;
mod convert;
mod decode;
mod diff;
mod evm;
mod facts;
mod frame;
mod host;
mod input;
mod instruction;
mod kept;
mod list;
mod movement;
mod net;
mod outcome;
mod overlap;
mod parties;
mod python;
mod record;
mod recorder;
mod row;
mod slot;
mod source;
mod spec;
mod stock;
mod survey;
mod topic;
mod traced;
mod trail;
mod walk;
mod word;
mod world;

use pyo3::prelude::*;

/// Import name of the extension module.
#[pymodule]
fn stopgate_engine(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("ENVIRONMENT", frame::ENVIRONMENT.to_vec())?;
    module.add("Refused", module.py().get_type::<python::Refused>())?;
    module.add("Broken", module.py().get_type::<python::Broken>())?;
    module.add_function(wrap_pyfunction!(decode::decode_python, module)?)?;
    module.add_class::<python::World>()?;
    module.add_class::<outcome::Outcome>()?;
    module.add_class::<convert::Words>()?;
    module.add_class::<python::Wanted>()?;
    Ok(())
}
