//! What commands show: tables, JSON, HTML.

mod delivery;

pub use delivery::{DeliveryList, DeliveryView, ReceiptView};
