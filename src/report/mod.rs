//! What commands show: tables, JSON, HTML.
