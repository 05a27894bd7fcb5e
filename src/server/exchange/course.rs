//! How far an exchange has come: what is kept of it while it waits for something.

#[cfg(feature = "fastcgi")]
use std::sync::Arc;

#[cfg(feature = "auth")]
use super::login::Login;
use crate::handler::admission::Permit;
#[cfg(feature = "fastcgi")]
use crate::handler::admission::Places;
#[cfg(feature = "fastcgi")]
use crate::handler::fastcgi::pool::Pool;
use crate::handler::report::Id;
use crate::proto::Reason;
use crate::proto::finding::Finding;
use crate::server::record::Record;

/// Why an exchange is driven.
#[derive(Debug)]
pub enum Turn {
    /// The request has just become whole.
    First,
    /// Its turn in the line has come, or its pause is over.
    Come(Box<Course>, Option<Permit>),
    /// Its turn will never come, for this reason: nobody is left to serve it, or another was let into
    /// the line in its place.
    Never(Box<Course>, Reason),
}

/// The steps that an exchange has behind it.
#[derive(Debug, Default)]
pub struct Course {
    /// What is kept of it for the console.
    pub(in crate::server) record: Record,
    /// What a run took, for who is told why it failed: names of steps, and microseconds.
    pub(super) times: Vec<(&'static str, u64)>,
    /// The id under which the log tells of it, once it was needed.
    pub(super) id: Option<Id>,
    /// How many local redirects were followed.
    pub(super) redirects: usize,
    /// Where the last of them led.
    pub(super) location: Option<Vec<u8>>,
    /// Whether the fallback is answered with in place of what was asked for.
    pub(super) falls_back: bool,
    /// Why the request fails if it waits for too long.
    pub(super) busy: Option<Reason>,
    /// What was found out about the failure.
    pub(super) finding: Option<Box<Finding>>,
    /// How far the doors of the present path were asked, and what a client that they turn away is told.
    #[cfg(feature = "auth")]
    pub(super) login: Login,
    #[cfg(feature = "auth")]
    pub(super) challenge: Option<std::sync::Arc<str>>,
    /// The user that one of them found right.
    #[cfg(feature = "auth")]
    pub(super) user: Option<String>,
    /// How many of the resource's authorizers have let it through.
    #[cfg(feature = "fastcgi")]
    pub(super) guards_passed: usize,
    /// What they want programs to be told.
    #[cfg(feature = "fastcgi")]
    pub(super) granted: Vec<(Vec<u8>, Vec<u8>)>,
    /// Which backends of the present application were asked in vain, and why the last of them.
    #[cfg(feature = "fastcgi")]
    pub(super) tried: Places,
    #[cfg(feature = "fastcgi")]
    pub(super) failure: Option<Reason>,
    /// Whose turn it waits for, or waited.
    #[cfg(feature = "fastcgi")]
    pub(super) waits_for: Option<Arc<Pool>>,
    /// Whether the next connection to it has to be a new one.
    #[cfg(feature = "fastcgi")]
    pub(super) wants_new: bool,
}

impl Course {
    /// Why the request fails when it has waited for too long.
    pub fn busy(&self) -> Reason {
        self.busy.unwrap_or(Reason::CgiBusy)
    }

    /// What authorizers want programs to be told, each name once.
    pub(super) fn granted(&self) -> &[(Vec<u8>, Vec<u8>)] {
        #[cfg(feature = "fastcgi")]
        return &self.granted;
        #[cfg(not(feature = "fastcgi"))]
        return &[];
    }

    /// The user whom the server has verified. It stays what it is when the request is led elsewhere.
    pub(super) fn user(&self) -> Option<&str> {
        #[cfg(feature = "auth")]
        return self.user.as_deref();
        #[cfg(not(feature = "auth"))]
        return None;
    }

    /// What a client that is turned away is to be told.
    pub(super) fn challenge(&self) -> Option<&str> {
        #[cfg(feature = "auth")]
        return self.challenge.as_deref();
        #[cfg(not(feature = "auth"))]
        return None;
    }

    /// Goes on with another path of this server.
    pub(super) fn redirect(&mut self, location: Vec<u8>) {
        self.redirects += 1;
        self.record.redirect(&location);
        self.location = Some(location);
        #[cfg(feature = "fastcgi")]
        self.granted.clear();
        self.begin_anew();
    }

    /// Goes on with the fallback, which is told what the authorizers of the path had to say.
    pub(super) fn fall_back(&mut self) {
        self.falls_back = true;
        self.begin_anew();
    }

    /// What was found out about one resource does not hold for another.
    fn begin_anew(&mut self) {
        self.finding = None;
        self.times.clear();
        #[cfg(feature = "auth")]
        {
            self.login = Login::Unasked;
        }
        #[cfg(feature = "fastcgi")]
        {
            self.guards_passed = 0;
            self.turn_to_another();
        }
    }

    /// Goes on with another application.
    #[cfg(feature = "fastcgi")]
    pub(super) fn turn_to_another(&mut self) {
        self.tried = Places::default();
        self.failure = None;
        self.waits_for = None;
        self.wants_new = false;
    }
}
