//! The tools: what an agent can ask this server to do.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::tool::ToolCallContext;
use rmcp::handler::server::wrapper::{Json, Parameters};
use rmcp::model::{CallToolRequestParams, CallToolResponse};
use rmcp::schemars::{self, JsonSchema};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler, tool, tool_handler, tool_router};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::data::{Books, Currency, Customer};
use crate::record::Record;

/// The server that the tools belong to.
#[derive(Clone)]
pub struct Shop {
    books: Arc<Mutex<Books>>,
    record: Arc<Record>,
    router: ToolRouter<Shop>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Refund {
    /// How much, in whole units of the currency.
    amount: f64,
    currency: Currency,
    /// The customer's id, such as `c-1`.
    customer: String,
    /// Why, for the books.
    reason: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Pay {
    /// The payee's id, such as `northwind-energy`.
    payee: String,
    /// How much, in whole units of the currency.
    amount: f64,
    currency: Currency,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Verify {
    /// The payee's id.
    payee: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ReadCustomer {
    /// The customer's id.
    id: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Search {
    /// A part of a name, an address or a note.
    query: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SendMail {
    /// E-mail addresses.
    to: Vec<String>,
    subject: String,
    body: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DropDatabase {
    /// The database's name.
    name: String,
}

/// What came of something that was done.
#[derive(Serialize, JsonSchema)]
struct Done {
    ok: bool,
    /// What was done, in words.
    message: String,
}

/// Whether a payee's bank details are known to be theirs.
#[derive(Serialize, JsonSchema)]
struct Verified {
    verified: bool,
    payee: String,
}

/// Customers that were found.
#[derive(Serialize, JsonSchema)]
struct Found {
    customers: Vec<Customer>,
}

#[tool_router]
impl Shop {
    /// A shop with sample books.
    pub fn new(record: Record) -> Shop {
        let books = Arc::new(Mutex::new(Books::sample()));
        Shop { books, record: Arc::new(record), router: Shop::tool_router() }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[tool(name = "payments.refund", description = "Refund a customer")]
    fn refund(&self, Parameters(of): Parameters<Refund>) -> Result<Json<Done>, String> {
        let mut books = self.books();
        if !books.customers.contains_key(&of.customer) {
            return Err(format!("there is no customer `{}`", of.customer));
        }
        let number = books.book(of.customer.clone(), of.amount, of.currency)?;
        Ok(done(format!(
            "{number}: refunded {} {} to {} ({})",
            of.amount, of.currency, of.customer, of.reason
        )))
    }

    #[tool(name = "payments.pay", description = "Pay a supplier")]
    fn pay(&self, Parameters(of): Parameters<Pay>) -> Result<Json<Done>, String> {
        let number = self.books().book(of.payee.clone(), of.amount, of.currency)?;
        Ok(done(format!("{number}: paid {} {} to {}", of.amount, of.currency, of.payee)))
    }

    #[tool(name = "payees.verify", description = "Check that a payee's bank details are theirs")]
    fn verify(&self, Parameters(of): Parameters<Verify>) -> Json<Verified> {
        Json(Verified { verified: self.books().payees.contains(&of.payee.as_str()), payee: of.payee })
    }

    #[tool(name = "crm.read_customer", description = "Read a customer's record")]
    fn read_customer(&self, Parameters(of): Parameters<ReadCustomer>) -> Result<Json<Customer>, String> {
        let found = self.books().customers.get(&of.id).cloned();
        found.map(Json).ok_or_else(|| format!("there is no customer `{}`", of.id))
    }

    #[tool(name = "crm.search", description = "Find customers")]
    fn search(&self, Parameters(of): Parameters<Search>) -> Json<Found> {
        Json(Found { customers: self.books().search(&of.query) })
    }

    #[tool(name = "email.send", description = "Send an e-mail")]
    fn send(&self, Parameters(of): Parameters<SendMail>) -> Result<Json<Done>, String> {
        if of.to.is_empty() {
            return Err("a message needs a recipient".to_owned());
        }
        let mut books = self.books();
        books.sent += 1;
        let (number, size) = (books.sent, of.body.len());
        Ok(done(format!("m-{number}: sent `{}` ({size} bytes) to {}", of.subject, of.to.join(", "))))
    }

    #[tool(name = "admin.drop_database", description = "Delete a database and all that is in it")]
    fn drop_database(&self, Parameters(of): Parameters<DropDatabase>) -> Result<Json<Done>, String> {
        if of.name != "crm" {
            return Err(format!("there is no database `{}`", of.name));
        }
        let mut books = self.books();
        let gone = books.customers.len();
        books.customers.clear();
        Ok(done(format!("dropped `crm` with {gone} customers")))
    }
}

fn done(message: String) -> Json<Done> {
    Json(Done { ok: true, message })
}

#[tool_handler(
    router = self.router,
    name = "quickstart-server",
    instructions = "Payments, CRM and mail of a small shop. Amounts are in whole units of the currency."
)]
impl ServerHandler for Shop {
    /// Recorded before it runs, so that nothing runs unrecorded.
    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let args = Value::Object(request.arguments.clone().unwrap_or_default());
        let recorded = self.record.append(&request.name, &args);
        recorded.map_err(|e| ErrorData::internal_error(format!("the call cannot be recorded: {e}"), None))?;
        self.router.call(ToolCallContext::new(self, request, context)).await
    }
}
