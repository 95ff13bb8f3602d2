//! **Record**: write the reservation once.
//!
//! - `attribute_not_exists(pk)`: the first record decides; every later attempt is answered with it.

use domain::reservation::Reservation;

use crate::{item::encode_reservation, table::Write};

pub(crate) fn record(reservation: &Reservation) -> Write {
    Write::put(encode_reservation(reservation), "attribute_not_exists(pk)")
}
