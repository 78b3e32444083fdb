//! Small workflows, each of which shows one part of the SDK, with their activities in the same component.
//!
//! They have the shapes of the examples of Temporal's Rust SDK: code for it compiles here when its `use` lines name
//! `longhaul_sdk`.

mod activities;
mod chains;
mod flow;
mod messages;
mod timers;
mod trip;

use activities::{Booking, Greeter};
use chains::{Countdown, Greeting, Household};
use flow::{Interruptible, Labelled, Poller, Versioned, Welcome};
use messages::Thermostat;
use timers::{Alarm, Races};
use trip::Trip;

longhaul_sdk::export!(
    Alarm,
    Countdown,
    Greeting,
    Household,
    Interruptible,
    Labelled,
    Poller,
    Races,
    Thermostat,
    Trip,
    Versioned,
    Welcome,
);
longhaul_sdk::export_activities!(Greeter, Booking);
