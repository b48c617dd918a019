//! The shop's books, in memory.

use std::collections::BTreeMap;

use rmcp::schemars::{self, JsonSchema};
use serde::{Deserialize, Serialize};

/// A customer as the CRM has them.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Customer {
    /// Such as `c-1`.
    pub id: String,
    /// Full name.
    pub name: String,
    /// E-mail address.
    pub email: String,
    /// What support noted.
    pub notes: String,
}

/// A currency that the shop takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Currency {
    /// US dollar.
    Usd,
    /// Euro.
    Eur,
    /// Yen.
    Jpy,
}

impl std::fmt::Display for Currency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Currency::Usd => "USD",
            Currency::Eur => "EUR",
            Currency::Jpy => "JPY",
        })
    }
}

/// Everything the tools work on.
#[derive(Debug)]
pub struct Books {
    /// By id.
    pub customers: BTreeMap<String, Customer>,
    /// Payees whose bank details were checked.
    pub payees: Vec<&'static str>,
    /// Whom money went to, and how much of which currency.
    pub ledger: Vec<(String, f64, Currency)>,
    /// How many messages were sent.
    pub sent: u32,
}

impl Books {
    /// The books at the start of every run.
    pub fn sample() -> Books {
        let customers = [
            ("c-1", "Ada Moreau", "ada@moreau.example", "prefers e-mail; order 1042 arrived late"),
            ("c-2", "Bela Kovacs", "bela@kovacs.example", "two open invoices"),
            ("c-3", "Chidi Obi", "chidi@obi.example", "asked for a refund of 1200 EUR"),
        ];
        let customers = customers.map(|(id, name, email, notes)| {
            let [id, name, email, notes] = [id, name, email, notes].map(str::to_owned);
            (id.clone(), Customer { id, name, email, notes })
        });
        Books {
            customers: customers.into(),
            payees: vec!["blue-harbour-supplies", "northwind-energy"],
            ledger: Vec::new(),
            sent: 0,
        }
    }

    /// Customers with the text in their name, address or notes, whatever its case.
    pub fn search(&self, query: &str) -> Vec<Customer> {
        let query = query.to_lowercase();
        let fits =
            |c: &&Customer| [&c.name, &c.email, &c.notes].iter().any(|t| t.to_lowercase().contains(&query));
        self.customers.values().filter(fits).cloned().collect()
    }

    /// Books a payment and gives its number.
    ///
    /// # Errors
    /// When the amount is not a positive number.
    pub fn book(&mut self, to: String, amount: f64, currency: Currency) -> Result<String, String> {
        if !(amount.is_finite() && amount > 0.0) {
            return Err(format!("`{amount}` is not an amount of money"));
        }
        self.ledger.push((to, amount, currency));
        Ok(format!("p-{}", self.ledger.len()))
    }
}
