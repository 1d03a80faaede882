//! What commands show: tables, JSON, HTML.

pub mod ci;
pub mod diagnostics;
pub mod doctor;
pub mod html;
pub mod networks;
pub mod preview;

mod accounts;
mod alert;
mod delivery;
mod detail;
mod history;
mod markdown;
mod plan;
mod printable;
mod sarif;
mod since;
mod status;
mod table;

pub use accounts::{
    AccountFacts, AccountList, AccountView, Asked, BeyondView, EndView, IdentityView, SecretView, Trouble, day,
};
pub use alert::{RaisedView, UntoldView};
pub use delivery::{DeliveryList, DeliveryView, ReceiptView};
pub use detail::Detail;
pub use history::{EventList, EventView};
pub use plan::{Plan, Scope};
pub use printable::printable;
pub use sarif::sarif;
pub use since::{SincePlan, Source, edited};
pub use status::{HoldOffView, OlderView, PauseView, Status, civil, duration};
pub use table::{Cell, Table, Tone};
