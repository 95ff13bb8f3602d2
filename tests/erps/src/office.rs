//! Books and a face in one place.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use domain::time::{Clock, Timestamp};
use vendor::{
    Transport, TransportError,
    transport::{Request, Response},
};

use crate::{
    books::Books,
    face::{self, Face},
};

/// One ERP of one company. Clones are the same one. It is a transport, and the clock of whoever calls through it.
#[derive(Clone)]
pub struct Office(Arc<Inside>);

struct Inside {
    face: Box<dyn Face>,
    books: Mutex<Books>,
    calls: Mutex<Vec<Request>>,
}

impl Office {
    /// Opens at this instant, with nothing ordered.
    #[must_use]
    pub fn open(face: impl Face + 'static, now: Timestamp) -> Self {
        let books = Mutex::new(Books { now, ..Books::default() });
        Self(Arc::new(Inside { face: Box::new(face), books, calls: Mutex::default() }))
    }

    /// What there is.
    pub fn books(&self) -> MutexGuard<'_, Books> {
        self.0.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls since this was last asked.
    pub fn take_calls(&self) -> Vec<Request> {
        std::mem::take(&mut self.0.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Moves its clock.
    pub fn advance(&self, seconds: u64) {
        let mut books = self.books();
        books.now = books.now.plus_seconds(seconds);
    }

    /// Answers a call. Nothing: no answer comes.
    #[must_use]
    pub fn answer(&self, request: &Request) -> Option<Response> {
        self.0.calls.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
        face::answer(&*self.0.face, &mut self.books(), request)
    }
}

impl Clock for Office {
    fn now(&self) -> Timestamp {
        self.books().now
    }
}

#[async_trait]
impl Transport for Office {
    /// Others come in between, before and after: calls of several tasks interleave.
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        tokio::task::yield_now().await;
        let answer = self.answer(&request);
        tokio::task::yield_now().await;
        answer.ok_or_else(|| TransportError { reason: "no answer came in time".to_owned() })
    }
}
