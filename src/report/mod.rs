//! What commands show: tables, JSON, HTML.

pub mod diagnostics;
pub mod html;
pub mod networks;
pub mod preview;

mod alert;
mod delivery;
mod detail;
mod history;
mod plan;
mod printable;
mod status;
mod table;

pub use alert::{RaisedView, UntoldView};
pub use delivery::{DeliveryList, DeliveryView, ReceiptView};
pub use detail::Detail;
pub use history::{EventList, EventView};
pub use plan::{Plan, Scope};
pub use printable::printable;
pub use status::{HoldOffView, OlderView, PauseView, Status, civil, duration};
pub use table::{Cell, Table, Tone};
