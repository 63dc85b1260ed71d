//! Templates and valid tenants to resources.

mod example;
mod fixture;
