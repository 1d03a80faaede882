//! What commands show: tables, JSON, HTML.

mod delivery;
pub mod diagnostics;
mod printable;

pub use delivery::{DeliveryList, DeliveryView, ReceiptView};
pub use printable::printable;
