//! A double of the endpoint that gives an app its identity's tokens, as App Service and Functions have it:
//! <https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference>.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::http::{Answer, Connection, Request, header};

/// What whoever asks has to show, for `IDENTITY_HEADER`.
pub const HEADER: &str = "shown by the app";
/// Whom tokens for Service Bus are for.
const RESOURCE: &str = "resource=https%3A%2F%2Fservicebus.azure.net";

/// The tokens it gives, and until when they are good; it ends with the test's process.
#[derive(Clone, Debug)]
pub struct IdentityDouble {
    port: u16,
    given: Arc<Mutex<Vec<String>>>,
}

impl IdentityDouble {
    /// Starts one. `issue` is told of each token before it is given, and says when it ends.
    ///
    /// # Panics
    /// If it cannot.
    pub fn start(issue: impl Fn(&str) -> SystemTime + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let double = Self { port, given: Arc::default() };
        let (for_thread, issue) = (double.clone(), Arc::new(issue));
        std::thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                let (double, issue) = (for_thread.clone(), issue.clone());
                std::thread::spawn(move || double.serve(stream, &*issue).ok());
            }
        });
        double
    }

    /// For `IDENTITY_ENDPOINT`.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}/msi/token", self.port)
    }

    /// The tokens that were given.
    ///
    /// # Panics
    /// If a thread of it has.
    pub fn given(&self) -> Vec<String> {
        self.given.lock().expect("no thread panics with it").clone()
    }

    fn serve(&self, stream: TcpStream, issue: &dyn Fn(&str) -> SystemTime) -> io::Result<()> {
        let mut connection = Connection::over(stream)?;
        while let Some(request) = connection.read_request()? {
            connection.send_answer(&self.answer(&request, issue))?;
        }
        Ok(())
    }

    fn answer(&self, request: &Request, issue: &dyn Fn(&str) -> SystemTime) -> Answer {
        let known = header(&request.headers, "x-identity-header") == Some(HEADER);
        let asked = request.method == "GET" && request.path.starts_with("/msi/token?") && request.path.contains(RESOURCE);
        if !known || !asked {
            return json(400, format!(r#"{{"statusCode":400,"message":"{} {}"}}"#, request.method, request.path));
        }
        let mut given = self.given.lock().expect("no thread panics with it");
        let token = format!("token-{}", given.len());
        given.push(token.clone());
        let expires = issue(&token).duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        json(
            200,
            format!(
                r#"{{"access_token":"{token}","expires_on":"{expires}","resource":"","token_type":"Bearer","client_id":""}}"#
            ),
        )
    }
}

fn json(status: u16, body: String) -> Answer {
    let length = body.len().to_string();
    let headers =
        vec![("Content-Type".to_owned(), b"application/json".to_vec()), ("Content-Length".to_owned(), length.into_bytes())];
    Answer { status, headers, body: body.into() }
}
